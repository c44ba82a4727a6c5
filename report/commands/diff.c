/* diff.c - heaptally diff OLD NEW: what has grown between two snapshots.
 * Owns:    its options.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "commands.h"
#include "analysis.h"

static int run(int argc, char **argv, struct error *error) {
    static const struct analysis_command command = {
        .name = "diff",
        .synopsis = "[OPTION...] OLD NEW",
        .about = "Prints the rows that differ most between two sources: snapshot files, live images or pids.",
        .operands = {2, "needs two sources, OLD and NEW"},
    };
    struct analysis_options options = ANALYSIS_DEFAULTS;
    int status;
    if (analysis_ready(&command, &options, argc, argv, &status, error))
        status = analysis_diff(argv[1], argv[2], &options, stdout, error) ? 0 : EXIT_FAILED;
    analysis_options_free(&options);
    return status;
}

const struct command command_diff = {"diff", "what has grown from one snapshot to another", run};
