/* dump.c - heaptally dump SOURCE: the live blocks and their stacks as text, which heaptally import reads.
 * Owns:    the source, until it has printed.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "commands.h"
#include "options.h"
#include "../exchange/traces_out.h"
#include "../source/open.h"

#include <inttypes.h>
#include <stdio.h>

static bool print(const struct source *source, struct error *error) {
    uint64_t left_out;
    bool done = traces_out_write(source->tables, stdout, &left_out, error);
    if (left_out != 0)
        fprintf(stderr,
                "heaptally: dump: %" PRIu64 " stacks hold no positive number of blocks, and are left out\n",
                left_out);
    return done;
}

static bool dump_source(const char *name, struct error *error) {
    struct source source;
    if (!source_open(&source, name, error))
        return false;
    if (source.note[0] != '\0')
        fprintf(stderr, "heaptally: %s\n", source.note);
    bool done =
        source.tables->header.sample_bytes == 0
            ? print(&source, error)
            : error_set(error,
                        "dump: %s: a process that was sampled has estimates, and no list of its blocks; "
                        "heaptally top has the estimates",
                        name);
    source_close(&source);
    return done;
}

static int run(int argc, char **argv, struct error *error) {
    const struct option_table table = {
        .command = "dump",
        .synopsis = "SOURCE",
        .about = "Prints the live blocks of a snapshot file, a live image or a pid, one a line:\n\n"
                 "    DOMAIN SIZE TOTAL_NFRAME FILE:LINE;FILE:LINE;...\n\n"
                 "with the newest frame first, for scripts and for heaptally import. Blocks of one stack are "
                 "given the average of\n"
                 "their sizes, unless the snapshot was imported.",
    };
    const struct operands_wanted wanted = {1, "needs one SOURCE: a snapshot file, an image or a pid"};
    int status;
    if (!options_ready(&table, wanted, argc, argv, &status, error))
        return status;
    return dump_source(argv[1], error) ? 0 : EXIT_FAILED;
}

const struct command command_dump = {"dump", "print the live blocks with their stacks as text", run};
