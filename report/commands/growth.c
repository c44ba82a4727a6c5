/* growth.c - heaptally growth PID|FILE...: the rows that reach a new maximum.
 * Owns:    its options.
 * Holds:   a process's maxima are kept by what makes rows: those of one key or metric are none of another.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "commands.h"
#include "loading.h"
#include "../source/looks.h"
#include "../stats/growth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the maxima of a process ---- */

static bool find_file(const struct loading *loading, const struct loaded *loaded, char path[PATH_MAX],
                      struct error *error) {
    char kind[256] = "growth";
    for (const enum key *key = loading->query.keys; *key != KEY_END; key++) {
        strcat(kind, "-"); /* the names of all there are take less than 150 bytes */
        strcat(kind, analysis_keys[*key - 1]);
    }
    strcat(kind, "-");
    strcat(kind, analysis_metrics[loading->query.metric]);
    strcat(kind, loading->query.cumulative ? "-cumulative" : "");
    strcat(kind, loading->query.blame.raw ? "-raw" : "");
    return looks_path(&loaded->source.tables->header, kind, path, error);
}

static bool load_maxima(struct growth *growth, const char *path, struct error *error) {
    FILE *in = fopen(path, "re");
    if (in == NULL)
        return errno == ENOENT || error_set(error, "%s: %s", path, strerror(errno));
    bool done = growth_load(growth, in, path, error);
    fclose(in);
    return done;
}

/* Under another name first, so that the maxima are never half written. */
static bool save_maxima(const struct growth *growth, const char *path, struct error *error) {
    char temporary[PATH_MAX + 8];
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool done = out != NULL;
    if (out != NULL)
        growth_save(growth, out);
    else if (fd >= 0)
        close(fd);
    if (out != NULL && (ferror(out) | fclose(out)) != 0)
        done = false;
    if (done && rename(temporary, path) == 0)
        return true;
    error_set(error, "%s: cannot be written: %s", path, strerror(errno));
    if (fd >= 0)
        unlink(temporary);
    return false;
}

/* ---- looks ---- */

/* Looks at a source; prints what has grown if `out` is not null. */
static bool look(const struct loading *loading, const struct loaded *loaded, struct growth *growth, FILE *out,
                 struct error *error) {
    struct statistics rows;
    if (!statistics_of(loaded->traces, &loading->query, &rows, error))
        return false;
    bool done = growth_look(growth, &rows, loading->frames, error);
    if (done && out != NULL)
        done = analysis_print_growth(loading, loaded, &rows, out, error);
    statistics_free(&rows);
    return done;
}

static bool look_at_process(const struct loading *loading, const struct loaded *loaded, struct growth *growth,
                            struct error *error) {
    char path[PATH_MAX];
    return find_file(loading, loaded, path, error) && load_maxima(growth, path, error) &&
           look(loading, loaded, growth, stdout, error) && save_maxima(growth, path, error);
}

/* Sources that are looked at one after another are compared with the last one. They are opened twice, since
 * of many not all have room at once. */
static bool know_all(struct loading *loading, char **names, int count, struct error *error) {
    struct source source;
    for (int i = 0; i < count; i++) {
        if (!source_open(&source, names[i], error))
            return false;
        bool done = loading_know(loading, source.tables, error) &&
                    (i + 1 < count || loading_match(loading, source.tables, error));
        source_close(&source);
        if (!done)
            return false;
    }
    return true;
}

static bool look_at(const struct loading *loading, char **names, int count, int at, struct growth *growth,
                    struct error *error) {
    struct loaded loaded;
    if (!loading_open(loading, &loaded, names[at], error))
        return false;
    bool done = count == 1 || loading_use(loading, &loaded, error);
    if (done && count == 1 && loaded.source.kind != SOURCE_SNAPSHOT)
        done = look_at_process(loading, &loaded, growth, error);
    else if (done)
        done = look(loading, &loaded, growth, at + 1 == count ? stdout : NULL, error);
    loading_close(&loaded);
    return done;
}

/* `names` ends in null. */
static bool grow(char **names, const struct analysis_options *options, struct error *error) {
    int count = 0;
    while (names[count] != NULL)
        count++;
    struct loading loading;
    struct growth *growth = growth_new();
    bool done = growth != NULL || error_out_of_memory(error);
    if (options->metric >= 0 && metric_is_of_counts((enum metric)options->metric))
        done = error_set(error, "growth: --metric %s is of counts, and growth of sizes",
                         analysis_metrics[options->metric]);
    done = loading_begin(&loading, options, error) && done;
    done = done && (count == 1 || know_all(&loading, names, count, error));
    for (int i = 0; done && i < count; i++)
        done = look_at(&loading, names, count, i, growth, error);
    loading_end(&loading);
    growth_free(growth);
    return done;
}

static int run(int argc, char **argv, struct error *error) {
    static const struct analysis_command command = {
        .name = "growth",
        .synopsis = "[OPTION...] PID|FILE...",
        .about =
            "Prints the rows whose size is above any before: of a process, since the first heaptally growth "
            "of it with the\n"
            "same keys and metric; of snapshots in their order, in the last one.",
        .operands = {OPERANDS_SOME, "needs a PID, or snapshots in their order"},
    };
    struct analysis_options options = ANALYSIS_DEFAULTS;
    int status;
    if (analysis_ready(&command, &options, argc, argv, &status, error))
        status = grow(argv + 1, &options, error) ? 0 : EXIT_FAILED;
    analysis_options_free(&options);
    return status;
}

const struct command command_growth = {"growth", "the rows that reach a new maximum", run};
