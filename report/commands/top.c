/* top.c - heaptally top SOURCE: which lines hold the memory.
 * Owns:    its options.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "commands.h"
#include "analysis.h"

static bool look(const char *source, const struct analysis_options *options, struct error *error) {
    if (options->each && options->histogram == 0)
        return error_set(error, "top: --each needs a --histogram");
    return analysis_top(source, options, stdout, error);
}

static int run(int argc, char **argv, struct error *error) {
    struct analysis_options options = ANALYSIS_DEFAULTS;
    const struct analysis_command command = {
        .name = "top",
        .synopsis = "[OPTION...] SOURCE",
        .about = "Prints the rows that hold most memory. SOURCE is a snapshot file, a live image or a "
                 "process's pid.",
        .operands = {1,
                     "needs one SOURCE: a snapshot file, an image or a pid (heaptally ps lists processes)"},
        .extra = {{.name = "histogram",
                   .kind = OPTION_CHOICE,
                   .value = &options.histogram,
                   .argument = "WHAT",
                   .choices = analysis_histograms,
                   .help =
                       "of all rows: size, lifetime (time), lifetime-count (later allocations), age; takes "
                       "details"},
                  {.name = "each",
                   .kind = OPTION_FLAG,
                   .value = &options.each,
                   .help = "the histogram of each row too"}},
    };
    int status;
    if (analysis_ready(&command, &options, argc, argv, &status, error))
        status = look(argv[1], &options, error) ? 0 : EXIT_FAILED;
    analysis_options_free(&options);
    return status;
}

const struct command command_top = {"top", "which lines hold the memory", run};
