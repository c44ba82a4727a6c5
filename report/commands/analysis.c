/* analysis.c - see analysis.h.
 * Owns:    everything it loads, until it has printed.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "analysis.h"
#include "blame_files.h"
#include "make_view.h"
#include "../render/json_view.h"
#include "../render/text.h"
#include "../source/open.h"
#include "../stats/compare.h"

#include <stdlib.h>
#include <string.h>

const char *const analysis_keys[] = {"lineno", "filename", "function", "module", "traceback",
                                     "thread", "domain",   "size",     NULL}; /* as enum key, from 1 on */
const char *const analysis_metrics[] = {"live", "peak", "total", NULL};
const char *const analysis_compats[] = {"none", "tracemalloc", NULL};
_Static_assert(KEYS_MAX <= OPTION_CHOICES_MAX, "all keys at once are one option");

struct loaded {
    struct source source;
    struct model *model;
    struct traces *traces;
    struct statistics statistics;
};

/* What the sources of one command have in common. */
struct shared {
    const struct analysis_options *options;
    struct query query; /* its filters and suppressions are owned */
    struct blame_files blame;
    struct symbols *symbols;
    struct frames *frames;
};

void analysis_options_free(struct analysis_options *options) {
    free(options->skip.items);
    free(options->suppressions.items);
    filter_options_free(&options->filters);
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

/* ---- loading ---- */

static void unload(struct loaded *self) {
    statistics_free(&self->statistics);
    traces_free(self->traces);
    model_free(self->model);
    source_close(&self->source);
}

static struct query make_query(const struct analysis_options *options) {
    bool python = options->compat == COMPAT_TRACEMALLOC;
    struct query query = {.keys = {KEY_LINENO},
                          .metric = (enum metric)options->metric,
                          .cumulative = options->cumulative,
                          .every_frame = python,
                          .blame.raw = options->raw || python};
    for (size_t i = 0; i < options->keys.count; i++)
        query.keys[i] = (enum key)(options->keys.at[i] + 1);
    return query;
}

static bool by_thread(const struct query *query) {
    const enum key *key = query->keys;
    while (*key != KEY_END && *key != KEY_THREAD)
        key++;
    return *key == KEY_THREAD || filters_have(&query->filters, FILTER_THREAD);
}

static bool load(struct loaded *self, const struct shared *shared, const char *name, struct error *error) {
    const struct query *query = &shared->query;
    memset(self, 0, sizeof *self);
    if (!source_open(&self->source, name, error))
        return false;
    if (self->source.note[0] != '\0')
        fprintf(stderr, "heaptally: %s\n", self->source.note);
    self->model =
        model_new_rows(self->source.tables, by_thread(query) ? MODEL_BY_THREAD : MODEL_BY_STACK, error);
    if (self->model != NULL)
        self->traces = traces_new(self->model, shared->symbols, shared->frames, error);
    if (self->traces != NULL && statistics_of(self->traces, query, &self->statistics, error))
        return true;
    unload(self);
    return false;
}

/* Where the newest frame is named whatever it is, no file has a say. */
static bool read_blame(struct shared *shared, const struct analysis_options *options, struct error *error) {
    if (shared->query.blame.raw)
        return true;
    if (!blame_files_read(&shared->blame, error))
        return false;
    for (size_t i = 0; i < options->skip.count; i++)
        if (!blame_files_skip(&shared->blame, options->skip.items[i]))
            return error_out_of_memory(error);
    shared->query.blame = blame_files_blame(&shared->blame);
    return true;
}

static bool read_suppressions(struct query *query, const struct option_list *files, struct error *error) {
    query->suppressions = suppressions_new();
    if (query->suppressions == NULL)
        return error_out_of_memory(error);
    for (size_t i = 0; i < files->count; i++)
        if (!suppressions_read(query->suppressions, files->items[i], error))
            return false;
    return true;
}

static bool begin(struct shared *shared, const struct analysis_options *options, struct error *error) {
    bool python = options->compat == COMPAT_TRACEMALLOC;
    *shared = (struct shared){.options = options, .query = make_query(options)};
    if (!filter_options_make(&options->filters, options->command, python, &shared->query.filters, error))
        return false;
    if (!read_blame(shared, options, error))
        return false;
    if (!read_suppressions(&shared->query, &options->suppressions, error))
        return false;
    shared->symbols = symbols_new(NULL);
    shared->frames = frames_new();
    if (shared->symbols != NULL && shared->frames != NULL)
        return true;
    return error_out_of_memory(error);
}

static void end(struct shared *shared) {
    frames_free(shared->frames);
    if (shared->symbols != NULL)
        symbols_free(shared->symbols);
    filters_free(&shared->query.filters);
    suppressions_free(shared->query.suppressions);
    blame_files_free(&shared->blame);
}

/* ---- printing ---- */

static void render(const struct view *view, bool json, FILE *out) {
    if (json)
        json_view_render(out, view);
    else
        text_render(out, view);
}

static struct view describe(const struct shared *shared, const struct loaded *loaded) {
    const struct analysis_options *options = shared->options;
    struct view view = {.metric = analysis_metrics[options->metric],
                        .cumulative = options->cumulative,
                        .bare = options->bare,
                        .python = options->compat == COMPAT_TRACEMALLOC,
                        .most_recent_first = options->most_recent_first,
                        .limit = options->limit,
                        .asked = (size_t)options->rows,
                        .total_size = loaded->statistics.size_total,
                        .suppressions = options->suppressions.count != 0,
                        .suppressed_size = loaded->statistics.suppressed.size,
                        .suppressed_count = loaded->statistics.suppressed.count};
    for (size_t i = 0; shared->query.keys[i] != KEY_END; i++)
        view.keys[i] = (enum view_key)shared->query.keys[i];
    view.totals = make_view_totals(loaded->model);
    return view;
}

static bool print(struct view *view, const struct statistics *statistics, const struct shared *shared,
                  const struct loaded *loaded, FILE *out, struct error *error) {
    struct view_loss losses[LOSSES_COUNT];
    view->losses = losses;
    view->loss_count = make_view_losses(loaded->source.tables, losses);
    if (!make_view_rows(view, statistics, shared->frames))
        return error_out_of_memory(error);
    render(view, shared->options->json, out);
    make_view_free(view);
    return true;
}

bool analysis_top(const char *source, const struct analysis_options *options, FILE *out,
                  struct error *error) {
    struct shared shared;
    struct loaded loaded;
    bool done = begin(&shared, options, error) && load(&loaded, &shared, source, error);
    if (done) {
        struct view view = describe(&shared, &loaded);
        done = print(&view, &loaded.statistics, &shared, &loaded, out, error);
        unload(&loaded);
    }
    end(&shared);
    return done;
}

static bool print_diff(const struct loaded *old, const struct loaded *new, const struct shared *shared,
                       FILE *out, struct error *error) {
    struct statistics difference;
    struct view view = describe(shared, new);
    if (!statistics_compare(&old->statistics, &new->statistics, shared->frames, &difference, error))
        return false;
    view.difference = true;
    view.total_size_diff = new->statistics.size_total - old->statistics.size_total;
    view.suppressed_size_diff = new->statistics.suppressed.size - old->statistics.suppressed.size;
    view.old_totals = make_view_totals(old->model);
    bool done = print(&view, &difference, shared, new, out, error);
    statistics_free(&difference);
    return done;
}

bool analysis_diff(const char *old_name, const char *new_name, const struct analysis_options *options,
                   FILE *out, struct error *error) {
    struct shared shared;
    struct loaded old, new;
    bool done = false;
    if (begin(&shared, options, error) && load(&old, &shared, old_name, error)) {
        if (load(&new, &shared, new_name, error)) {
            done = print_diff(&old, &new, &shared, out, error);
            unload(&new);
        }
        unload(&old);
    }
    end(&shared);
    return done;
}
