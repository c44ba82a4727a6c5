/* blame.c - heaptally blame --list: which functions and files are passed over for the line that a row names.
 * Owns:    what it reads, until it has printed.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "blame_files.h"
#include "commands.h"
#include "options.h"
#include "../render/harmless.h"

#include <stdio.h>

static void print_built_in(const char *what, const char *const *patterns) {
    printf("# built in: %s\n", what);
    for (; *patterns != NULL; patterns++)
        printf("%s\n", *patterns);
}

static void print_list(const struct blame_list *list, const char *before) {
    for (size_t i = 0; i < list->count; i++) {
        fputs(before, stdout);
        harmless_put(stdout, list->items[i]);
        putchar('\n');
    }
}

static void print_file(const struct blame_file *file) {
    if (file->path[0] == '\0')
        return;
    fputs("# ", stdout);
    harmless_put(stdout, file->path);
    putchar('\n');
    print_list(&file->skip, "");
    print_list(&file->keep, "!");
}

static bool list(struct error *error) {
    struct blame_files files;
    bool done = blame_files_read(&files, error);
    if (done) {
        print_built_in("functions", blame_functions());
        print_built_in("files", blame_files());
        for (int i = 0; i < BLAME_ORIGINS; i++)
            print_file(&files.of[i]);
    }
    blame_files_free(&files);
    return done;
}

static int run(int argc, char **argv, struct error *error) {
    bool wanted = false;
    const struct option rows[] = {
        {.name = "list",
         .kind = OPTION_FLAG,
         .value = &wanted,
         .help = "print the patterns, and where they are from"},
    };
    const struct option_table table = {
        .command = "blame",
        .synopsis = "--list",
        .about =
            "Prints the patterns of functions and files that are passed over for the line that a row names. "
            "Further\n"
            "ones are read from ~/.config/heaptally/blame and from .heaptally-blame in the working directory "
            "or the\n"
            "nearest above it: one a line, !PATTERN for what is never passed over.",
        .options = rows,
        .count = sizeof rows / sizeof *rows,
    };
    const struct operands_wanted none = {0, "takes no operand"};
    int status;
    if (!options_ready(&table, none, argc, argv, &status, error))
        return status;
    if (!wanted)
        error_set(error, "blame: needs --list");
    return wanted && list(error) ? 0 : EXIT_FAILED;
}

const struct command command_blame = {"blame", "which functions and files are passed over", run};
