/* annotate.c - heaptally annotate SOURCE FILE[:FUNCTION]: a source file with what its lines hold.
 * Owns:    its options.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "annotation.h"
#include "commands.h"

#include <stdio.h>

static bool annotate(const char *source, const char *place, const struct analysis_options *options,
                     struct error *error) {
    struct loading loading;
    struct loaded loaded;
    bool done = loading_begin(&loading, options, error) && loading_open(&loading, &loaded, source, error);
    if (done) {
        done = annotation_print(&loading, &loaded, source, place, stdout, error);
        loading_close(&loaded);
    }
    loading_end(&loading);
    return done;
}

static int run(int argc, char **argv, struct error *error) {
    struct analysis_options options = ANALYSIS_DEFAULTS;
    options.command = "annotate";
    bool details = false;
    const struct option rows[] = {
        BLAME_OPTIONS(options),
        {.name = "details",
         .kind = OPTION_FLAG,
         .value = &details,
         .help = "temporary blocks, reallocs and wasted bytes too; takes a trace with details"},
        {.name = "json", .kind = OPTION_FLAG, .value = &options.json, .help = "one JSON object"},
    };
    const struct option_table table = {
        .command = "annotate",
        .synopsis = "[OPTION...] SOURCE FILE[:FUNCTION]",
        .about =
            "Prints a source file, or the part of it in which a function allocates, with the live bytes, the "
            "bytes at the\n"
            "peak, the allocations and the frees of each line. SOURCE is a snapshot file, a live image or a "
            "pid; FILE a\n"
            "path, or the end of one, as top names it.",
        .options = rows,
        .count = sizeof rows / sizeof *rows,
        .notes = analysis_notes,
    };
    const struct operands_wanted wanted = {2, "needs a SOURCE and a FILE or FILE:FUNCTION"};
    int status;
    if (options_ready(&table, wanted, argc, argv, &status, error)) {
        options.metric =
            details ? METRIC_WASTE : METRIC_LIVE; /* any of details, so that they must be there */
        status = annotate(argv[1], argv[2], &options, error) ? 0 : EXIT_FAILED;
    }
    analysis_options_free(&options);
    return status;
}

const struct command command_annotate = {"annotate", "a source file with what its lines hold", run};
