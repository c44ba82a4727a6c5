/* delta.c - heaptally delta PID: what has changed since the last look; heaptally baseline PID: a look to
 * begin with.
 * Owns:    its options.
 * Holds:   what is printed of a look is what the next one is compared with.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "commands.h"
#include "loading.h"
#include "../source/looks.h"
#include "../source/snapshot_write.h"

#include <string.h>
#include <unistd.h>

#define LOOK     "look"
#define BASELINE "baseline"

/* Where a process's looks are; "" for one that there is not. */
struct places {
    char look[PATH_MAX], baseline[PATH_MAX];
};

static bool find(const struct source *source, const char *command, struct places *places,
                 struct error *error) {
    if (source->kind == SOURCE_SNAPSHOT)
        return error_set(error,
                         "%s: %s is a snapshot and has no later look; heaptally diff compares two, heaptally "
                         "growth many",
                         command, source->path);
    return looks_path(&source->tables->header, LOOK, places->look, error) &&
           looks_path(&source->tables->header, BASELINE, places->baseline, error);
}

static bool save(const struct source *source, const char *path, struct error *error) {
    struct snapshot_options how = {
        .trigger = HT_TRIGGER_OUTSIDE, .number = 1, .compress = true, .overwrite = true};
    return snapshot_write(source->tables, path, &how, NULL, error);
}

/* ---- delta ---- */

static const char *older(const struct places *places, bool baseline) {
    if (!baseline && access(places->look, F_OK) == 0)
        return places->look;
    return access(places->baseline, F_OK) == 0 ? places->baseline : NULL;
}

static bool print(struct loading *loading, struct loaded *new, const char *old_path, struct error *error) {
    struct loaded old;
    if (old_path == NULL) {
        fputs("heaptally: delta: the first look at this process: all that it holds\n", stderr);
        return analysis_print_top(loading, new, stdout, error);
    }
    if (!loading_open(loading, &old, old_path, error))
        return false;
    bool done =
        loading_compare(loading, &old, new, error) && analysis_print_diff(loading, &old, new, stdout, error);
    loading_close(&old);
    return done;
}

static bool look(struct loading *loading, struct loaded *new, bool baseline, struct error *error) {
    struct places places;
    if (!find(&new->source, "delta", &places, error))
        return false;
    const char *old = older(&places, baseline);
    if (baseline && old == NULL)
        return error_set(error,
                         "delta: there is no baseline of this process; heaptally baseline PID makes one");
    return print(loading, new, old, error) && (baseline || save(&new->source, places.look, error));
}

static bool delta(const char *name, const struct analysis_options *options, bool baseline,
                  struct error *error) {
    struct loading loading;
    struct loaded new;
    bool done = loading_begin(&loading, options, error) && loading_open(&loading, &new, name, error);
    if (done) {
        done = look(&loading, &new, baseline, error);
        loading_close(&new);
    }
    loading_end(&loading);
    return done;
}

static int run_delta(int argc, char **argv, struct error *error) {
    struct analysis_options options = ANALYSIS_DEFAULTS;
    bool baseline = false;
    options.command = "delta";
    const struct option rows[] = {
        ANALYSIS_OPTIONS(options),
        {.name = "baseline",
         .kind = OPTION_FLAG,
         .value = &baseline,
         .help = "compare with the baseline, and forget the look"},
    };
    const struct option_table table = {
        .command = "delta",
        .synopsis = "[OPTION...] PID",
        .about =
            "Prints the rows that differ most from the last look at a process, that is the last heaptally "
            "delta or\n"
            "baseline of it; the first look prints what it holds.",
        .options = rows,
        .count = sizeof rows / sizeof *rows,
        .notes = analysis_notes,
    };
    const struct operands_wanted wanted = {1, "needs one PID (heaptally ps lists them)"};
    int status;
    if (options_ready(&table, wanted, argc, argv, &status, error))
        status = delta(argv[1], &options, baseline, error) ? 0 : EXIT_FAILED;
    analysis_options_free(&options);
    return status;
}

const struct command command_delta = {"delta", "what has changed in a process since the last look",
                                      run_delta};

/* ---- baseline ---- */

/* The look before is forgotten: the next delta begins here. */
static bool begin_here(const struct source *source, struct error *error) {
    struct places places;
    if (!find(source, "baseline", &places, error) || !save(source, places.baseline, error))
        return false;
    unlink(places.look);
    return true;
}

static int run_baseline(int argc, char **argv, struct error *error) {
    const struct option_table table = {
        .command = "baseline",
        .synopsis = "PID",
        .about =
            "Remembers what a process holds now, so that heaptally delta ignores it from now on: what it "
            "needs to start,\n"
            "or has before it forks.",
    };
    const struct operands_wanted wanted = {1, "needs one PID (heaptally ps lists them)"};
    struct source source;
    int status;
    if (!options_ready(&table, wanted, argc, argv, &status, error))
        return status;
    if (!source_open(&source, argv[1], error))
        return EXIT_FAILED;
    bool done = begin_here(&source, error);
    source_close(&source);
    return done ? 0 : EXIT_FAILED;
}

const struct command command_baseline = {"baseline", "what a process holds now, to be ignored by delta",
                                         run_baseline};
