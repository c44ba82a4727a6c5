/* analysis.c - see analysis.h.
 * Owns:    everything it loads, until it has printed.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "analysis.h"
#include "loading.h"
#include "make_histogram.h"
#include "make_view.h"
#include "rebuilt.h"
#include "../render/json_view.h"
#include "../render/text.h"
#include "../source/wrapping.h"
#include "../stats/compare.h"

#include <stdlib.h>
#include <string.h>

const char *const analysis_keys[] = {"lineno", "filename", "function", "module",         "traceback",
                                     "thread", "domain",   "size",     "freeing-thread", "kind",
                                     "scope",  "tag",      NULL}; /* as enum key, from 1 on */
const char *const analysis_metrics[] = {"live",     "peak",  "total",      "count", "freed", "temporary",
                                        "reallocs", "waste", "peak-waste", NULL}; /* as enum metric */
const char *const analysis_histograms[] = {"none", "size", "lifetime", "lifetime-count", "age", NULL};
const char *const analysis_compats[] = {"none", "tracemalloc", NULL};
_Static_assert(KEYS_MAX <= OPTION_CHOICES_MAX, "all keys at once are one option");

void analysis_options_free(struct analysis_options *options) {
    free(options->skip.items);
    free(options->suppressions.items);
    filter_options_free(&options->filters);
}

bool analysis_ready(const struct analysis_command *command, struct analysis_options *options, int argc,
                    char **argv, int *status, struct error *error) {
    const struct option rows[] = {ANALYSIS_OPTIONS(*options), command->extra[0], command->extra[1]};
    size_t count = sizeof rows / sizeof *rows;
    _Static_assert(ANALYSIS_EXTRA_MAX == 2, "all of a command's own options are in its table");
    while (rows[count - 1].name == NULL)
        count--;
    const struct option_table table = {
        .command = command->name,
        .synopsis = command->synopsis,
        .about = command->about,
        .options = rows,
        .count = count,
        .notes = analysis_notes,
    };
    options->command = command->name;
    return options_ready(&table, command->operands, argc, argv, status, error);
}

static void print_patterns(FILE *out, const char *title, const char *const *patterns) {
    size_t column = 200;
    fprintf(out, "%s", title);
    for (; *patterns != NULL; patterns++) {
        if (column + strlen(*patterns) + 1 > 100) {
            fputs("\n   ", out);
            column = 3;
        }
        column += (size_t)fprintf(out, " %s%s", *patterns, patterns[1] != NULL ? "," : "");
    }
    fputc('\n', out);
}

void analysis_notes(FILE *out) {
    fputs("\nThe line that a row names, with the keys lineno, filename and function: the newest frame of the "
          "stack\n"
          "that is not in an allocator, a container or a wrapper of these. Passed over are (* matches "
          "anything)\n",
          out);
    print_patterns(out, "  functions:", blame_functions());
    print_patterns(out, "  files:", blame_files());
    fputs("and what stands in ~/.config/heaptally/blame and .heaptally-blame (heaptally blame --list).\n"
          "If every frame is passed over, the newest is named; --raw always names it.\n",
          out);
}

/* ---- printing ---- */

static void render(const struct view *view, bool json, FILE *out) {
    if (json)
        json_view_render(out, view);
    else
        text_render(out, view);
}

static struct view describe(const struct loading *loading, const struct loaded *loaded,
                            const struct statistics *statistics) {
    const struct analysis_options *options = loading->options;
    struct view view = {.metric = analysis_metrics[loading->query.metric],
                        .of_counts = statistics->of_counts,
                        .total_count = statistics->count_total,
                        .cumulative = options->cumulative,
                        .bare = options->bare,
                        .python = options->compat == COMPAT_TRACEMALLOC,
                        .most_recent_first = options->most_recent_first,
                        .limit = options->limit,
                        .asked = (size_t)options->rows,
                        .total_size = statistics->size_total,
                        .total_size_error = variances_error(statistics->size_total_variance),
                        .suppressed = make_view_suppressed(statistics)};
    for (size_t i = 0; loading->query.keys[i] != KEY_END; i++)
        view.keys[i] = (enum view_key)loading->query.keys[i];
    view.totals = make_view_totals(loaded->model);
    return view;
}

/* `suppressed`: the statistics that know what was left out of the source that is printed. */
static bool print(struct view *view, const struct statistics *statistics, const struct statistics *suppressed,
                  const struct loading *loading, const struct loaded *loaded, FILE *out,
                  struct error *error) {
    struct view_loss losses[LOSSES_COUNT];
    loading_note_unsaid(loading, loaded);
    struct view_rebuilt *rebuilt = rebuilt_view(loading->builds, &view->rebuilt_count);
    view->rebuilt = rebuilt;
    view->losses = losses;
    view->loss_count = make_view_losses(loaded->source.tables, losses);
    make_view_domains(view, loaded->source.tables);
    struct view_suppression *by =
        make_view_suppressions(&view->suppressed, suppressed, loading->query.suppressions);
    bool done =
        (by != NULL && make_view_rows(view, statistics, loading->frames)) || error_out_of_memory(error);
    if (done && loading->options->each)
        done = make_view_histograms(view, statistics, loaded->model->now_ns) || error_out_of_memory(error);
    if (done)
        render(view, loading->options->json, out);
    make_view_free(view);
    free(by);
    free(rebuilt);
    return done;
}

static void describe_details(struct view *view, const struct loading *loading, const struct loaded *loaded,
                             const struct statistics *statistics) {
    const struct analysis_options *options = loading->options;
    view->details = true;
    view->temporary_below = loaded->source.tables->header.temporary_below;
    view->total_details = make_view_details(&statistics->details);
    if (options->histogram != VIEW_NO_HISTOGRAM)
        view->histogram = make_histogram(&statistics->details, (enum view_histogram_kind)options->histogram,
                                         loaded->model->now_ns);
}

/* Whether what is printed shows details: they take memory for each row. */
static bool shows_details(const struct loading *loading, const struct loaded *loaded) {
    const struct analysis_options *options = loading->options;
    return details_present(loaded->source.tables) &&
           (options->json || options->histogram != VIEW_NO_HISTOGRAM ||
            loading->query.metric == METRIC_REALLOCS);
}

bool analysis_print_top(const struct loading *loading, const struct loaded *loaded, FILE *out,
                        struct error *error) {
    struct statistics statistics;
    struct query query = loading->query;
    query.details = shows_details(loading, loaded);
    if (!statistics_of(loaded->traces, &query, &statistics, error))
        return false;
    struct view view = describe(loading, loaded, &statistics);
    if (query.details)
        describe_details(&view, loading, loaded, &statistics);
    bool done = print(&view, &statistics, &statistics, loading, loaded, out, error);
    statistics_free(&statistics);
    return done;
}

bool analysis_top(const char *source, const struct analysis_options *options, FILE *out,
                  struct error *error) {
    struct loading loading;
    struct loaded loaded;
    bool done = loading_begin(&loading, options, error) && loading_open(&loading, &loaded, source, error);
    if (done) {
        done = analysis_print_top(&loading, &loaded, out, error);
        loading_close(&loaded);
    }
    loading_end(&loading);
    return done;
}

/* ---- differences ---- */

/* The statistics of two sources. */
struct pair {
    struct statistics old, new;
};

static bool print_difference(const struct pair *pair, const struct loading *loading, const struct loaded *old,
                             const struct loaded *new, FILE *out, struct error *error) {
    struct statistics difference;
    struct view view = describe(loading, new, &pair->new);
    if (!statistics_compare(&pair->old, &pair->new, loading->frames, &difference, error))
        return false;
    view.difference = true;
    view.total_size_diff = wrapping_subtract(pair->new.size_total, pair->old.size_total);
    view.suppressed.size_diff = wrapping_subtract(pair->new.suppressed.size, pair->old.suppressed.size);
    view.total_size_diff_error =
        variances_error(pair->old.size_total_variance + pair->new.size_total_variance);
    view.suppressed.size_diff_error =
        variances_error(pair->old.suppressed.size_variance + pair->new.suppressed.size_variance);
    view.old_totals = make_view_totals(old->model);
    make_view_domains(&view, new->source.tables);
    make_view_domains(&view, old->source.tables);
    bool done = print(&view, &difference, &pair->new, loading, new, out, error);
    statistics_free(&difference);
    return done;
}

bool analysis_print_diff(const struct loading *loading, const struct loaded *old, const struct loaded *new,
                         FILE *out, struct error *error) {
    struct pair pair;
    if (!statistics_of(old->traces, &loading->query, &pair.old, error))
        return false;
    bool done = statistics_of(new->traces, &loading->query, &pair.new, error);
    if (done) {
        done = print_difference(&pair, loading, old, new, out, error);
        statistics_free(&pair.new);
    }
    statistics_free(&pair.old);
    return done;
}

bool analysis_diff(const char *old_name, const char *new_name, const struct analysis_options *options,
                   FILE *out, struct error *error) {
    struct loading loading;
    struct loaded old, new;
    bool done = false;
    if (loading_begin(&loading, options, error) && loading_open(&loading, &old, old_name, error)) {
        if (loading_open(&loading, &new, new_name, error)) {
            done = loading_compare(&loading, &old, &new, error) &&
                   analysis_print_diff(&loading, &old, &new, out, error);
            loading_close(&new);
        }
        loading_close(&old);
    }
    loading_end(&loading);
    return done;
}

/* ---- growth ---- */

bool analysis_print_growth(const struct loading *loading, const struct loaded *loaded,
                           const struct statistics *grown, FILE *out, struct error *error) {
    struct view view = describe(loading, loaded, grown);
    view.difference = true;
    view.growth = true;
    for (size_t i = 0; i < grown->count; i++)
        view.total_size_diff = wrapping_add(view.total_size_diff, grown->rows[i].size_diff);
    return print(&view, grown, grown, loading, loaded, out, error);
}
