/* analysis.h - source -> statistics -> view -> text or JSON: what top, diff and run --top have in common. */
#ifndef HEAPTALLY_REPORT_ANALYSIS_H
#define HEAPTALLY_REPORT_ANALYSIS_H

#include "filter_options.h"
#include "options.h"
#include "../source/error.h"

#include <stdio.h>

struct analysis_options {
    const char *command;        /* for messages */
    struct option_choices keys; /* enum key - 1; none: lineno */
    int metric;                 /* enum metric; -1: what goes with the histogram or the keys, else live */
    int compat;                 /* enum analysis_compat */
    uint64_t rows;              /* 0: all */
    int64_t limit;              /* frames of a stack; negative: the oldest */
    bool cumulative, raw, bare, json, most_recent_first, no_suppressions;
    int histogram; /* enum view_histogram_kind; of top alone */
    bool each;     /* of every row too */
    struct option_list skip, suppressions;
    struct filter_options filters;
};

enum analysis_compat { COMPAT_NONE, COMPAT_TRACEMALLOC };

#define ANALYSIS_DEFAULTS                                                                                    \
    { .metric = -1, .rows = 10, .limit = INT64_MAX }

extern const char *const analysis_keys[], *const analysis_metrics[], *const analysis_compats[],
                                                                         *const analysis_histograms[];

/* Those that choose the line which is blamed, and what is left out of all. */
#define BLAME_OPTIONS(o)                                                                                     \
    {.name = "raw",                                                                                          \
     .kind = OPTION_FLAG,                                                                                    \
     .value = &(o).raw,                                                                                      \
     .help = "name the newest frame, even in an allocator or a container"},                                  \
        {.name = "skip",                                                                                     \
         .kind = OPTION_LIST,                                                                                \
         .value = &(o).skip,                                                                                 \
         .argument = "PATTERN",                                                                              \
         .help = "pass over these functions, files or modules too (repeatable)"},                            \
        {.name = "no-suppressions",                                                                          \
         .kind = OPTION_FLAG,                                                                                \
         .value = &(o).no_suppressions,                                                                      \
         .help = "leave nothing out, whatever programs say with HEAPTALLY_SUPPRESS"},                        \
    {                                                                                                        \
        .name = "suppressions", .kind = OPTION_LIST, .value = &(o).suppressions, .argument = "FILE",         \
        .help = "leave out what this file names: lines leak:TEMPLATE (repeatable)"                           \
    }

/* The options that top and diff share, as rows of their tables. */
#define ANALYSIS_OPTIONS(o)                                                                                  \
    {.name = "key",                                                                                          \
     .letter = 'k',                                                                                          \
     .kind = OPTION_CHOICES,                                                                                 \
     .value = &(o).keys,                                                                                     \
     .argument = "KEY,...",                                                                                  \
     .choices = analysis_keys,                                                                               \
     .help = "lineno (default), filename, function, module, traceback, thread, domain, size, freeing-"       \
             "thread, kind, scope, tag"},                                                                    \
        {.name = "number",                                                                                   \
         .letter = 'n',                                                                                      \
         .kind = OPTION_NUMBER,                                                                              \
         .value = &(o).rows,                                                                                 \
         .argument = "N",                                                                                    \
         .min = 0,                                                                                           \
         .max = UINT32_MAX,                                                                                  \
         .help = "print N rows (default 10; 0: all)"},                                                       \
        {.name = "metric",                                                                                   \
         .kind = OPTION_CHOICE,                                                                              \
         .value = &(o).metric,                                                                               \
         .argument = "METRIC",                                                                               \
         .choices = analysis_metrics,                                                                        \
         .help =                                                                                             \
             "live (default): allocated now; peak: at the largest live size; total: ever; count: live by "   \
             "number; freed; with details also temporary, reallocs, waste, peak-waste"},                     \
        {.name = "cumulative",                                                                               \
         .kind = OPTION_FLAG,                                                                                \
         .value = &(o).cumulative,                                                                           \
         .help = "count a block for every frame of its stack, once per row"},                                \
        BLAME_OPTIONS(o), FILTER_OPTIONS((o).filters),                                                       \
        {.name = "limit",                                                                                    \
         .kind = OPTION_SIGNED,                                                                              \
         .value = &(o).limit,                                                                                \
         .argument = "N",                                                                                    \
         .help = "of a stack print the N newest frames; -N: the N oldest"},                                  \
        {.name = "most-recent-first",                                                                        \
         .kind = OPTION_FLAG,                                                                                \
         .value = &(o).most_recent_first,                                                                    \
         .help = "print stacks from the newest frame to the oldest"},                                        \
        {.name = "compat",                                                                                   \
         .kind = OPTION_CHOICE,                                                                              \
         .value = &(o).compat,                                                                               \
         .argument = "WHAT",                                                                                 \
         .choices = analysis_compats,                                                                        \
         .help = "none (default); tracemalloc: to the letter what Python's prints"},                         \
        {.name = "bare", .kind = OPTION_FLAG, .value = &(o).bare, .help = "rows alone, one a line"}, {       \
        .name = "json", .kind = OPTION_FLAG, .value = &(o).json, .help = "one JSON object"                   \
    }

/* A command whose options are ANALYSIS_OPTIONS and perhaps some of its own. */
#define ANALYSIS_EXTRA_MAX 2
struct analysis_command {
    const char *name, *synopsis, *about; /* as in struct option_table */
    struct operands_wanted operands;
    struct option extra[ANALYSIS_EXTRA_MAX]; /* its own; unused ones are behind the others, without names */
};

/* Fills `options`, which are ANALYSIS_DEFAULTS, from the command line; the rest as options_ready. */
bool analysis_ready(const struct analysis_command *command, struct analysis_options *options, int argc,
                    char **argv, int *status, struct error *error);

void analysis_options_free(struct analysis_options *options);

/* What --help says about the line that a row names. */
void analysis_notes(FILE *out);

/* Prints the rows of one source; notes about it go to stderr. */
bool analysis_top(const char *source, const struct analysis_options *options, FILE *out, struct error *error);

/* Prints the differences of two. */
bool analysis_diff(const char *old, const char *new, const struct analysis_options *options, FILE *out,
                   struct error *error);

struct loading;
struct loaded;
struct statistics;

/* Print rows of sources that are open: all that is asked for, the differences of two, and those of rows that
 * have grown, with their differences. */
bool analysis_print_top(const struct loading *loading, const struct loaded *loaded, FILE *out,
                        struct error *error);
bool analysis_print_diff(const struct loading *loading, const struct loaded *old, const struct loaded *new,
                         FILE *out, struct error *error);
bool analysis_print_growth(const struct loading *loading, const struct loaded *loaded,
                           const struct statistics *grown, FILE *out, struct error *error);

#endif
