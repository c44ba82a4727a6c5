/* loading.c - see loading.h.
 * Owns:    what it hands out, until it is closed.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "loading.h"
#include "rebuilt.h"
#include "../render/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of what the histogram counts. */
static enum metric metric_of(const struct analysis_options *options) {
    static const enum metric of_histogram[] = {[VIEW_NO_HISTOGRAM] = METRIC_LIVE,
                                               [VIEW_SIZES] = METRIC_TOTAL,
                                               [VIEW_LIFETIMES] = METRIC_FREED,
                                               [VIEW_LATER] = METRIC_FREED,
                                               [VIEW_AGES] = METRIC_LIVE};
    return options->metric >= 0 ? (enum metric)options->metric : of_histogram[options->histogram];
}

static struct query make_query(const struct analysis_options *options) {
    bool python = options->compat == COMPAT_TRACEMALLOC;
    struct query query = {.keys = {KEY_LINENO},
                          .metric = metric_of(options),
                          .cumulative = options->cumulative,
                          .every_frame = python,
                          .blame.raw = options->raw || python};
    for (size_t i = 0; i < options->keys.count; i++)
        query.keys[i] = (enum key)(options->keys.at[i] + 1);
    return query;
}

static bool has_key(const struct query *query, enum key wanted) {
    const enum key *key = query->keys;
    while (*key != KEY_END && *key != wanted)
        key++;
    return *key == wanted;
}

static bool by_thread(const struct query *query) {
    return has_key(query, KEY_THREAD) || has_key(query, KEY_FREEING_THREAD) ||
           filters_have(&query->filters, FILTER_THREAD);
}

/* Only what was freed has a thread that freed it. */
static bool settle_freeing_thread(struct query *query, const struct analysis_options *options,
                                  struct error *error) {
    const char *command = options->command;
    if (!has_key(query, KEY_FREEING_THREAD))
        return true;
    if (has_key(query, KEY_THREAD))
        return error_set(
            error,
            "%s: the keys thread and freeing-thread cannot be used together: of what was freed both "
            "are the thread that did it",
            command);
    if (options->metric >= 0 && options->metric != METRIC_FREED)
        return error_set(error, "%s: the key freeing-thread is of --metric freed, and of no other", command);
    query->metric = METRIC_FREED;
    return true;
}

/* What a query asks for that only HEAPTALLY_DETAILS counts must be there. */
static bool check_details(const struct loading *self, const struct loaded *loaded, const char *name,
                          struct error *error) {
    bool wanted = metric_takes_details(self->query.metric) || self->options->histogram != 0;
    if (!wanted || details_present(loaded->source.tables))
        return true;
    return error_set(error,
                     "%s: it has no details, which %s%s takes; trace with heaptally run --details, or "
                     "HEAPTALLY_DETAILS=1",
                     name, self->options->histogram != 0 ? "--histogram" : "--metric ",
                     self->options->histogram != 0 ? "" : analysis_metrics[self->query.metric]);
}

/* ---- suppressions that modules bring ---- */

/* The lines of one note. A line that is none is told of, and no reason to print nothing. */
static bool add_lines(struct suppressions *suppressions, const char *text, const char *path) {
    struct error error = {""};
    char *copy = strdup(text), *rest = copy;
    for (char *line; rest != NULL && (line = strsep(&rest, "\n")) != NULL;)
        if (!suppressions_add_line(suppressions, line, path, &error))
            fprintf(stderr, "heaptally: %s: HEAPTALLY_SUPPRESS: %s\n", path, error.text);
    free(copy);
    return copy != NULL;
}

static bool add_suppressions(const struct loading *self, const struct loaded *loaded, struct error *error) {
    const struct tables *tables = loaded->source.tables;
    for (uint32_t i = 1; i < tables->region[HT_REGION_MODULES].count; i++) {
        size_t module = traces_symbols_module(loaded->traces, i);
        const char *text;
        for (size_t j = 0; (text = symbols_suppression(self->symbols, module, j)) != NULL; j++)
            if (!add_lines(self->query.suppressions, text, tables_module_path(tables, i)))
                return error_out_of_memory(error);
    }
    return true;
}

/* ---- sources ---- */

bool loading_open(const struct loading *self, struct loaded *loaded, const char *name, struct error *error) {
    enum model_rows rows = by_thread(&self->query) ? MODEL_BY_THREAD : MODEL_BY_STACK;
    memset(loaded, 0, sizeof *loaded);
    if (!source_open(&loaded->source, name, error))
        return false;
    if (loaded->source.note[0] != '\0')
        fprintf(stderr, "heaptally: %s\n", loaded->source.note);
    if (self->options->compat == COMPAT_TRACEMALLOC && loaded->source.tables->header.sample_bytes != 0)
        error_set(error,
                  "%s: its figures are estimates from samples, and tracemalloc has no form for them; without "
                  "--compat they are printed with their errors",
                  name);
    else if (check_details(self, loaded, name, error))
        loaded->model = model_new_rows(loaded->source.tables, rows, error);
    if (loaded->model != NULL)
        loaded->traces = traces_new(loaded->model, self->symbols, self->frames, error);
    if (loaded->traces != NULL && (self->options->no_suppressions || add_suppressions(self, loaded, error)))
        return true;
    loading_close(loaded);
    return false;
}

void loading_close(struct loaded *self) {
    traces_free(self->traces);
    model_free(self->model);
    source_close(&self->source);
}

static bool asks_for(const struct query *query, enum key key, enum filter_kind filter) {
    return has_key(query, key) || filters_have(&query->filters, filter);
}

void loading_note_unsaid(const struct loading *self, const struct loaded *loaded) {
    const struct tables *tables = loaded->source.tables;
    bool scopes = false, tags = false;
    for (uint32_t i = 1; i < tables_context_count(tables); i++) {
        struct tables_context context = tables_context(tables, i);
        scopes = scopes || context.scope[0] != '\0';
        tags = tags || context.tag[0] != '\0';
    }
    if (!scopes && asks_for(&self->query, KEY_SCOPE, FILTER_SCOPE))
        fprintf(stderr,
                "heaptally: %s: it has no scopes; a program opens them with heaptally_scope_begin "
                "(heaptally.h)\n",
                loaded->source.path);
    if (!tags && asks_for(&self->query, KEY_TAG, FILTER_TAG))
        fprintf(stderr,
                "heaptally: %s: it has no tags; a program sets them with heaptally_set_tag "
                "(heaptally.h)\n",
                loaded->source.path);
}

/* ---- comparing ---- */

bool loading_know(struct loading *self, const struct tables *tables, struct error *error) {
    if (self->builds == NULL && (self->builds = builds_new(self->symbols)) == NULL)
        return error_out_of_memory(error);
    return builds_add(self->builds, tables, error);
}

bool loading_match(struct loading *self, const struct tables *last, struct error *error) {
    if (!builds_compare(self->builds, last, error))
        return false;
    if (!self->options->json)
        rebuilt_warn(self->builds, self->options->command, stderr);
    return true;
}

bool loading_use(const struct loading *self, struct loaded *loaded, struct error *error) {
    return traces_use_builds(loaded->traces, self->builds) || error_out_of_memory(error);
}

bool loading_compare(struct loading *self, struct loaded *old, struct loaded *new, struct error *error) {
    const struct tables *tables = new->source.tables;
    return loading_know(self, old->source.tables, error) && loading_know(self, tables, error) &&
           loading_match(self, tables, error) && loading_use(self, old, error) &&
           loading_use(self, new, error);
}

/* ---- options ---- */

/* Where the newest frame is named whatever it is, no file has a say. */
static bool read_blame(struct loading *self, const struct analysis_options *options, struct error *error) {
    if (self->query.blame.raw)
        return true;
    if (!blame_files_read(&self->blame, error))
        return false;
    for (size_t i = 0; i < options->skip.count; i++)
        if (!blame_files_skip(&self->blame, options->skip.items[i]))
            return error_out_of_memory(error);
    self->query.blame = blame_files_blame(&self->blame);
    return true;
}

static bool read_suppressions(struct query *query, const struct analysis_options *options,
                              struct error *error) {
    const struct option_list *files = &options->suppressions;
    query->suppressions = suppressions_new();
    if (query->suppressions == NULL)
        return error_out_of_memory(error);
    for (size_t i = 0; !options->no_suppressions && i < files->count; i++)
        if (!suppressions_read(query->suppressions, files->items[i], error))
            return false;
    return true;
}

bool loading_begin(struct loading *self, const struct analysis_options *options, struct error *error) {
    bool python = options->compat == COMPAT_TRACEMALLOC;
    *self = (struct loading){.options = options, .query = make_query(options)};
    if (!settle_freeing_thread(&self->query, options, error))
        return false;
    if (!filter_options_make(&options->filters, options->command, python, &self->query.filters, error))
        return false;
    if (!read_blame(self, options, error))
        return false;
    if (!read_suppressions(&self->query, options, error))
        return false;
    self->symbols = symbols_new(NULL);
    self->frames = frames_new();
    if (self->symbols != NULL && self->frames != NULL)
        return true;
    return error_out_of_memory(error);
}

void loading_end(struct loading *self) {
    builds_free(self->builds);
    frames_free(self->frames);
    if (self->symbols != NULL)
        symbols_free(self->symbols);
    filters_free(&self->query.filters);
    suppressions_free(self->query.suppressions);
    blame_files_free(&self->blame);
}
