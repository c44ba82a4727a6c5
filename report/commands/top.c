/* top.c - heaptally top SOURCE: which lines hold the memory.
 * Owns:    its options.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "commands.h"
#include "analysis.h"

static int run(int argc, char **argv, struct error *error) {
    struct analysis_options options = ANALYSIS_DEFAULTS;
    options.command = "top";
    const struct option rows[] = {
        ANALYSIS_OPTIONS(options),
        {.name = "histogram",
         .kind = OPTION_CHOICE,
         .value = &options.histogram,
         .argument = "WHAT",
         .choices = analysis_histograms,
         .help = "of all rows: size, lifetime (time), lifetime-count (later allocations), age; takes details"},
        {.name = "each", .kind = OPTION_FLAG, .value = &options.each, .help = "the histogram of each row too"},
    };
    const struct option_table table = {
        .command = "top",
        .synopsis = "[OPTION...] SOURCE",
        .about = "Prints the rows that hold most memory. SOURCE is a snapshot file, a live image or a "
                 "process's pid.",
        .options = rows,
        .count = sizeof rows / sizeof *rows,
        .notes = analysis_notes,
    };
    int operands;
    enum options_result parsed = options_parse(&table, argc, argv, &operands, error);
    bool done = parsed == OPTIONS_HELP;
    if (parsed == OPTIONS_PARSED && operands != 1)
        error_set(error,
                  "top: needs one SOURCE: a snapshot file, an image or a pid (heaptally ps lists processes)");
    else if (parsed == OPTIONS_PARSED && options.each && options.histogram == 0)
        error_set(error, "top: --each needs a --histogram");
    else if (parsed == OPTIONS_PARSED)
        done = analysis_top(argv[1], &options, stdout, error);
    analysis_options_free(&options);
    return done ? 0 : EXIT_FAILED;
}

const struct command command_top = {"top", "which lines hold the memory", run};
