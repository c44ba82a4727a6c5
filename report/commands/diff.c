/* diff.c - heaptally diff OLD NEW: what has grown between two snapshots.
 * Owns:    its options.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "commands.h"
#include "analysis.h"

static int run(int argc, char **argv, struct error *error) {
    struct analysis_options options = ANALYSIS_DEFAULTS;
    options.command = "diff";
    const struct option rows[] = {ANALYSIS_OPTIONS(options)};
    const struct option_table table = {
        .command = "diff",
        .synopsis = "[OPTION...] OLD NEW",
        .about = "Prints the rows that differ most between two sources: snapshot files, live images or pids.",
        .options = rows,
        .count = sizeof rows / sizeof *rows,
        .notes = analysis_notes,
    };
    int operands;
    enum options_result parsed = options_parse(&table, argc, argv, &operands, error);
    bool done = parsed == OPTIONS_HELP;
    if (parsed == OPTIONS_PARSED && operands != 2)
        error_set(error, "diff: needs two sources, OLD and NEW");
    else if (parsed == OPTIONS_PARSED)
        done = analysis_diff(argv[1], argv[2], &options, stdout, error);
    analysis_options_free(&options);
    return done ? 0 : EXIT_FAILED;
}

const struct command command_diff = {"diff", "what has grown from one snapshot to another", run};
