/* import.c - heaptally import TRACES: blocks and their stacks as text -> a snapshot.
 * Owns:    the traces while it reads.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "commands.h"
#include "options.h"
#include "../exchange/traces_in.h"
#include "../source/snapshot_write.h"

#include <errno.h>
#include <string.h>

struct import_options {
    const char *output;
    bool overwrite;
};

static bool read_file(struct traces_in *traces, const char *name, struct error *error) {
    if (strcmp(name, "-") == 0)
        return traces_in_read(traces, stdin, "standard input", error);
    FILE *in = fopen(name, "re");
    if (in == NULL)
        return error_set(error, "%s: %s", name, strerror(errno));
    bool done = traces_in_read(traces, in, name, error);
    fclose(in);
    return done;
}

static bool import(const char *name, const struct import_options *options, struct error *error) {
    struct snapshot_options how = {.number = 1, .compress = true, .overwrite = options->overwrite};
    if (options->output == NULL)
        return error_set(error, "import: needs -o FILE, the snapshot to write");
    struct traces_in *traces = traces_in_new(basename(name));
    if (traces == NULL)
        return error_out_of_memory(error);
    bool done = read_file(traces, name, error) &&
                snapshot_write(traces_in_tables(traces), options->output, &how, NULL, error);
    traces_in_free(traces);
    return done;
}

static int run(int argc, char **argv, struct error *error) {
    struct import_options options = {0};
    const struct option rows[] = {
        {.name = "output",
         .letter = 'o',
         .kind = OPTION_STRING,
         .value = &options.output,
         .argument = "FILE",
         .help = "the snapshot to write"},
        {.name = "overwrite",
         .kind = OPTION_FLAG,
         .value = &options.overwrite,
         .help = "replace an existing file"},
    };
    const struct option_table table = {
        .command = "import",
        .synopsis = "-o FILE TRACES",
        .about =
            "Makes a snapshot of a text of traces, one block a line:\n\n"
            "    DOMAIN SIZE TOTAL_NFRAME FILE:LINE;FILE:LINE;...\n\n"
            "with the newest frame first; ; : \\ space and control characters of a FILE are written \\xNN. "
            "TRACES may be -, standard input.\n"
            "heaptally dump prints such a text.",
        .options = rows,
        .count = sizeof rows / sizeof *rows,
    };
    const struct operands_wanted wanted = {1, "needs one file of TRACES, or - for standard input"};
    int status;
    if (!options_ready(&table, wanted, argc, argv, &status, error))
        return status;
    return import(argv[1], &options, error) ? 0 : EXIT_FAILED;
}

const struct command command_import = {"import", "make a snapshot of traces from elsewhere", run};
