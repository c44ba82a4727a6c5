/* main.c - finds the command, prints its error, exits.
 * Owns:    the exit status.
 * Threads: one.  Signals: no.  Heap: no. */
#include "commands/commands.h"
#include "render/harmless.h"

#include <stdio.h>
#include <string.h>

static void print_usage(FILE *out) {
    fputs("usage: heaptally COMMAND [ARGUMENT...]\n\n", out);
    for (const struct command *const *at = commands_all(); *at != NULL; at++)
        fprintf(out, "  %-10s %s\n", (*at)->name, (*at)->summary);
    fputs("\nCommands may be shortened. heaptally COMMAND --help says more.\n"
          "First: heaptally run PROGRAM [ARGUMENT...]\n",
          out);
}

static int finish(int status, const struct error *error) {
    if (error->text[0] != '\0') {
        fputs("heaptally: ", stderr);
        harmless_put(stderr, error->text);
        fputc('\n', stderr);
    }
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fputs("heaptally: standard output could not be written\n", stderr);
    return status != 0 ? status : EXIT_FAILED;
}

int main(int argc, char **argv) {
    struct error error = {""};
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_FAILED;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return finish(0, &error);
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("heaptally " HEAPTALLY_VERSION);
        return finish(0, &error);
    }
    const struct command *command = commands_find(argv[1], &error);
    int status = command != NULL ? command->run(argc - 1, argv + 1, &error) : EXIT_FAILED;
    return finish(status, &error);
}
