/* annotation.c - see annotation.h.
 * Owns:    the lines until they are printed.
 * Holds:   a block counts on the line that `top` names for it, so that columns add up to top's totals.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "annotation.h"
#include "make_view.h"
#include "../render/annotate.h"
#include "../render/json_annotation.h"
#include "../source/wrapping.h"
#include "../stats/interner.h"

#include <stdlib.h>
#include <string.h>

struct wanted {
    char *file;           /* a path, or its end; owned */
    const char *function; /* null: all of them */
};

struct lines {
    struct annotated_line *items; /* owned; item i is of line i of the index, until they are sorted */
    size_t count, room;
    struct interner *index;            /* owned */
    const char *file;                  /* the path that was found; null: none */
    struct view_suppressed suppressed; /* of what lives */
    struct view_suppression *by;       /* its array; owned */
};

static const enum metric sums[] = {METRIC_LIVE, METRIC_PEAK, METRIC_TOTAL};
static const enum metric sums_and_details[] = {METRIC_LIVE,      METRIC_PEAK,     METRIC_TOTAL,
                                               METRIC_TEMPORARY, METRIC_REALLOCS, METRIC_WASTE};

/* ---- what is wanted ---- */

/* FUNCTION may be qualified and hold colons; FILE's own have a slash or a dot behind them, or nothing. */
static bool parse_wanted(const char *text, struct wanted *wanted) {
    const char *base = strrchr(text, '/');
    const char *colon = strchr(base != NULL ? base : text, ':');
    wanted->function = colon != NULL && colon[1] != '\0' ? colon + 1 : NULL;
    wanted->file = strndup(text, colon != NULL ? (size_t)(colon - text) : strlen(text));
    return wanted->file != NULL;
}

static bool is_file(const struct wanted *wanted, const char *path) {
    size_t length = strlen(path), end = strlen(wanted->file);
    if (end > length || strcmp(path + length - end, wanted->file) != 0)
        return false;
    return end == length || path[length - end - 1] == '/';
}

static bool is_function(const struct wanted *wanted, const char *function) {
    char name[1024];
    if (wanted->function == NULL)
        return true;
    if (function == NULL)
        return false;
    blame_qualified_name(function, name, sizeof name);
    return strcmp(function, wanted->function) == 0 || strcmp(name, wanted->function) == 0;
}

/* ---- lines ---- */

static bool make_room(struct lines *self) {
    if (self->count < self->room)
        return true;
    size_t room = 2 * self->room + 64;
    struct annotated_line *more = realloc(self->items, room * sizeof *more);
    if (more == NULL)
        return false;
    self->items = more;
    self->room = room;
    return true;
}

/* Null when out of memory. */
static struct annotated_line *find_line(struct lines *self, uint32_t line) {
    bool fresh;
    uint32_t at = make_room(self) ? interner_put(self->index, &line, sizeof line, &fresh) : INTERNER_NONE;
    if (at == INTERNER_NONE)
        return NULL;
    if (fresh)
        self->items[self->count++] = (struct annotated_line){.line = line};
    return &self->items[at];
}

static void add_amount(struct annotated_line *line, enum metric metric, const struct statistic *row) {
    switch (metric) {
    case METRIC_LIVE:
        line->live = wrapping_add(line->live, row->size);
        line->frees = wrapping_subtract(line->frees, row->count);
        line->variances.live += row->size_variance;
        line->variances.frees -= row->count_variance; /* what was freed took it away from what lives */
        break;
    case METRIC_PEAK:
        line->peak = wrapping_add(line->peak, row->size);
        line->variances.peak += row->size_variance;
        break;
    case METRIC_TOTAL:
        line->allocations = wrapping_add(line->allocations, row->count);
        line->frees = wrapping_add(line->frees, row->count);
        line->variances.allocations += row->count_variance;
        line->variances.frees += row->count_variance;
        break;
    case METRIC_TEMPORARY: line->temporaries = wrapping_add(line->temporaries, row->count); break;
    case METRIC_REALLOCS: line->reallocs = wrapping_add(line->reallocs, row->count); break;
    case METRIC_WASTE: line->waste = wrapping_add(line->waste, row->size); break;
    default: break;
    }
}

static bool ambiguous(const struct lines *lines, const char *other, struct error *error) {
    return error_set(error, "annotate: both %s and %s are such files; write more of the path", lines->file,
                     other);
}

/* Rows are of the keys lineno and function, so their first frame has the line and the second the function. */
static bool add_row(struct lines *lines, const struct wanted *wanted, const struct frames *frames,
                    enum metric metric, const struct statistic *row, struct error *error) {
    const struct frame *place = frames_get(frames, row->frames[0]);
    const struct frame *function = frames_get(frames, row->frames[1]);
    if (place->file == NULL || !is_file(wanted, place->file) || !is_function(wanted, function->function))
        return true;
    if (lines->file != NULL && strcmp(lines->file, place->file) != 0)
        return ambiguous(lines, place->file, error);
    lines->file = place->file;
    struct annotated_line *line = find_line(lines, place->line);
    if (line == NULL)
        return error_out_of_memory(error);
    add_amount(line, metric, row);
    return true;
}

static bool take_suppressed(struct lines *lines, const struct loading *loading,
                            const struct statistics *statistics, struct error *error) {
    lines->suppressed = make_view_suppressed(statistics);
    lines->by = make_view_suppressions(&lines->suppressed, statistics, loading->query.suppressions);
    return lines->by != NULL || error_out_of_memory(error);
}

static bool add_metric(struct lines *lines, const struct wanted *wanted, const struct loading *loading,
                       const struct loaded *loaded, enum metric metric, struct error *error) {
    struct query query = loading->query;
    struct statistics statistics;
    query.metric = metric;
    query.keys[0] = KEY_LINENO;
    query.keys[1] = KEY_FUNCTION;
    query.keys[2] = KEY_END;
    if (!statistics_of(loaded->traces, &query, &statistics, error))
        return false;
    bool good = metric != METRIC_LIVE || take_suppressed(lines, loading, &statistics, error);
    for (size_t i = 0; good && i < statistics.count; i++)
        good = add_row(lines, wanted, loading->frames, metric, &statistics.rows[i], error);
    statistics_free(&statistics);
    return good;
}

static int by_line(const void *a, const void *b) {
    const struct annotated_line *x = a, *y = b;
    return x->line < y->line ? -1 : x->line > y->line;
}

/* ---- printing ---- */

static bool nothing(const struct wanted *wanted, const char *source, struct error *error) {
    return error_set(error,
                     "annotate: %s: no row names %s%s%s (heaptally top -n 0 -k filename lists files, -k "
                     "function functions)",
                     source, wanted->file, wanted->function != NULL ? ":" : "",
                     wanted->function != NULL ? wanted->function : "");
}

static void print(struct lines *lines, const struct wanted *wanted, const struct analysis_options *options,
                  uint64_t sample_bytes, FILE *out) {
    qsort(lines->items, lines->count, sizeof *lines->items, by_line);
    struct annotation annotation = {.file = lines->file,
                                    .lines = lines->items,
                                    .count = lines->count,
                                    .function = wanted->function,
                                    .details = metric_takes_details((enum metric)options->metric),
                                    .suppressed = lines->suppressed,
                                    .sample_bytes = sample_bytes};
    if (wanted->function != NULL) {
        annotation.first = lines->items[0].line;
        annotation.last = lines->items[lines->count - 1].line;
    }
    if (options->json)
        json_annotation_render(out, &annotation);
    else
        annotate_render(out, &annotation);
}

static bool print_wanted(const struct loading *loading, const struct loaded *loaded, const char *source,
                         const struct wanted *wanted, FILE *out, struct error *error) {
    struct lines lines = {.index = interner_new()};
    bool details = metric_takes_details(loading->query.metric);
    bool done = lines.index != NULL || error_out_of_memory(error);
    const enum metric *metrics = details ? sums_and_details : sums;
    size_t count = details ? sizeof sums_and_details / sizeof *sums_and_details : sizeof sums / sizeof *sums;
    for (size_t i = 0; done && i < count; i++)
        done = add_metric(&lines, wanted, loading, loaded, metrics[i], error);
    if (done && lines.file == NULL)
        done = nothing(wanted, source, error);
    if (done)
        print(&lines, wanted, loading->options, loaded->source.tables->header.sample_bytes, out);
    interner_free(lines.index);
    free(lines.items);
    free(lines.by);
    return done;
}

bool annotation_print(const struct loading *loading, const struct loaded *loaded, const char *source,
                      const char *place, FILE *out, struct error *error) {
    struct wanted wanted;
    if (!parse_wanted(place, &wanted))
        return error_out_of_memory(error);
    bool done = print_wanted(loading, loaded, source, &wanted, out, error);
    free(wanted.file);
    return done;
}
