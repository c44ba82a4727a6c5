/* top.c - heaptally top SOURCE: which lines hold the memory.
 * Owns:    its options.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "commands.h"
#include "analysis.h"

static int run(int argc, char **argv, struct error *error) {
    static const struct analysis_command command = {
        .name = "top",
        .synopsis = "[OPTION...] SOURCE",
        .about = "Prints the rows that hold most memory. SOURCE is a snapshot file, a live image or a "
                 "process's pid.",
        .operands = {1,
                     "needs one SOURCE: a snapshot file, an image or a pid (heaptally ps lists processes)"},
    };
    struct analysis_options options = ANALYSIS_DEFAULTS;
    int status;
    if (analysis_ready(&command, &options, argc, argv, &status, error))
        status = analysis_top(argv[1], &options, stdout, error) ? 0 : EXIT_FAILED;
    analysis_options_free(&options);
    return status;
}

const struct command command_top = {"top", "which lines hold the memory", run};
