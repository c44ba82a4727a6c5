/* make_view.c - see make_view.h.
 * Owns:    the rows it makes.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "make_view.h"
#include "../source/wrapping.h"
#include "../stats/interner.h"
#include "make_histogram.h"

#include <stdlib.h>
#include <string.h>

static struct view_frame frame_of(const struct frames *frames, frame_id id) {
    const struct frame *frame = frames_get(frames, id);
    return (struct view_frame){.file = frame->file,
                               .function = frame->function,
                               .module = frame->module,
                               .build = frame->file == NULL ? frame->build : NULL,
                               .offset = frame->offset,
                               .line = frame->line,
                               .has_offset = frame->has_offset};
}

_Static_assert((int)VIEW_LINENO == KEY_LINENO && (int)VIEW_TRACEBACK == KEY_TRACEBACK &&
                   (int)VIEW_SIZE == KEY_SIZE && (int)VIEW_FREEING_THREAD == KEY_FREEING_THREAD &&
                   (int)VIEW_KIND == KEY_KIND && (int)VIEW_SCOPE == KEY_SCOPE && (int)VIEW_TAG == KEY_TAG &&
                   VIEW_KEYS == KEYS_MAX + 1,
               "a key of statistics is the same key of a view");

static void take_missing(struct view_frame *place, const struct view_frame *part) {
    if (place->file == NULL && part->file != NULL) {
        place->file = part->file;
        place->line = part->line;
    }
    if (place->line == 0 && place->file == part->file)
        place->line = part->line;
    if (place->function == NULL)
        place->function = part->function;
    if (place->module == NULL)
        place->module = part->module;
    if (!place->has_offset && part->has_offset) {
        place->offset = part->offset;
        place->build = part->build;
        place->has_offset = true;
    }
}

/* Function and module, if the keys do not say, are those of a member. */
static void take_sample(struct view_frame *place, const struct frames *frames, const struct statistic *row,
                        const enum view_key *keys) {
    struct view_frame sample = frame_of(frames, row->sample);
    bool line = view_has_key(keys, VIEW_LINENO) || view_has_key(keys, VIEW_TRACEBACK);
    if (place->function == NULL && line)
        place->function = sample.function;
    if (place->module == NULL && (line || place->file != NULL || place->function != NULL))
        place->module = sample.module;
}

/* What stands for a name says it as a function. */
static const char *name_in(const struct view_frame *frame) {
    return frame->function != NULL && frame->function[0] != '\0' ? frame->function : NULL;
}

/* What a group's parts say of its place, its numbers and its names. */
static void fill_place(struct view_row *to, const struct statistic *from, const struct frames *frames,
                       const enum view_key *keys) {
    const frame_id *part = from->frames;
    for (; *keys != VIEW_END; keys++) {
        if (*keys == VIEW_TRACEBACK)
            continue;
        struct view_frame frame = frame_of(frames, *part++);
        if (key_is_of_frames((enum key) * keys))
            take_missing(&to->place, &frame);
        else
            to->numbers[*keys] = frame.offset;
        if (*keys == VIEW_KIND)
            to->kind = kind_names[frame.offset];
        if (*keys == VIEW_SCOPE)
            to->scope = name_in(&frame);
        if (*keys == VIEW_TAG)
            to->tag = name_in(&frame);
    }
}

static size_t part_count(const enum view_key *keys) {
    size_t count = 0;
    for (; *keys != VIEW_END; keys++)
        count += *keys != VIEW_TRACEBACK;
    return count;
}

static bool fill_frames(struct view_row *to, const struct statistic *from, const struct frames *frames,
                        size_t parts) {
    to->frame_count = from->frame_count > parts ? from->frame_count - parts : 1;
    to->frames = malloc(to->frame_count * sizeof *to->frames);
    if (to->frames == NULL)
        return false;
    to->frames[0] = to->place;
    for (size_t i = parts; i < from->frame_count; i++)
        to->frames[i - parts] = frame_of(frames, from->frames[i]);
    return true;
}

static bool fill_row(struct view_row *to, const struct statistic *from, const struct frames *frames,
                     const enum view_key *keys) {
    size_t parts = part_count(keys);
    *to = (struct view_row){.size = from->size,
                            .count = from->count,
                            .size_diff = from->size_diff,
                            .count_diff = from->count_diff,
                            .size_error = variances_error(from->size_variance),
                            .count_error = variances_error(from->count_variance),
                            .size_diff_error = variances_error(from->size_diff_variance),
                            .count_diff_error = variances_error(from->count_diff_variance)};
    if (from->details != NULL)
        to->details = make_view_details(from->details);
    fill_place(to, from, frames, keys);
    if (from->frame_count > parts && to->place.file == NULL && to->place.function == NULL)
        to->place = frame_of(frames, from->frames[parts]);
    take_sample(&to->place, frames, from, keys);
    return fill_frames(to, from, frames, parts);
}

/* Whether its build is all that tells a place from another one. */
static void mark_rebuilt(const struct view *view, struct view_frame *frame) {
    for (size_t i = 0; frame->build != NULL && i < view->rebuilt_count; i++) {
        const struct view_rebuilt *at = &view->rebuilt[i];
        frame->rebuilt |= (at->build != NULL && strcmp(at->build, frame->build) == 0) ||
                          (at->old_build != NULL && strcmp(at->old_build, frame->build) == 0);
    }
}

static void mark_row(const struct view *view, struct view_row *row) {
    mark_rebuilt(view, &row->place);
    for (size_t i = 0; i < row->frame_count; i++)
        mark_rebuilt(view, &row->frames[i]);
}

/* The variances of rows add up where each block is in one of them; where blocks may be in several, their
 * errors do, at most. */
static void add_others(struct view *view, const struct statistics *statistics, size_t shown) {
    double variance = 0, diff_variance = 0, error = 0, diff_error = 0;
    for (size_t i = shown; i < statistics->count; i++) {
        const struct statistic *row = &statistics->rows[i];
        view->other_count++;
        view->other_size = wrapping_add(view->other_size, row->size);
        view->other_size_diff = wrapping_add(view->other_size_diff, row->size_diff);
        variance += row->size_variance;
        diff_variance += row->size_diff_variance;
        error += variances_error(row->size_variance);
        diff_error += variances_error(row->size_diff_variance);
    }
    view->other_size_error = view->cumulative ? error : variances_error(variance);
    view->other_size_diff_error = view->cumulative ? diff_error : variances_error(diff_variance);
}

bool make_view_rows(struct view *view, const struct statistics *statistics, const struct frames *frames) {
    size_t shown = view->asked != 0 && view->asked < statistics->count ? view->asked : statistics->count;
    view->rows = calloc(shown + 1, sizeof *view->rows);
    if (view->rows == NULL)
        return false;
    for (; view->row_count < shown; view->row_count++) {
        struct view_row *row = &view->rows[view->row_count];
        if (!fill_row(row, &statistics->rows[view->row_count], frames, view->keys)) {
            make_view_free(view);
            return false;
        }
        mark_row(view, row);
    }
    add_others(view, statistics, shown);
    return true;
}

bool make_view_histograms(struct view *view, const struct statistics *statistics, uint64_t now_ns) {
    for (size_t i = 0; i < view->row_count; i++) {
        struct view_row *row = &view->rows[i];
        if (statistics->rows[i].details == NULL)
            continue;
        row->histogram = malloc(sizeof *row->histogram);
        if (row->histogram == NULL)
            return false;
        *row->histogram = make_histogram(statistics->rows[i].details, view->histogram.kind, now_ns);
    }
    return true;
}

static int by_number(const void *a, const void *b) {
    const struct view_domain *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* Whether a domain is not among those that were seen, of which it is one then. Out of memory: it is not. */
static bool is_new(struct interner *seen, uint64_t number) {
    bool fresh;
    return interner_put(seen, &number, sizeof number, &fresh) != INTERNER_NONE && fresh;
}

static void add_domains(struct view *view, const struct tables *tables, struct interner *seen) {
    for (size_t i = 0; i < view->domain_count; i++)
        is_new(seen, view->domains[i].number);
    for (uint32_t i = 1; i < tables_context_count(tables); i++) {
        struct tables_context context = tables_context(tables, i);
        if (context.domain_name[0] != '\0' && is_new(seen, context.domain))
            view->domains[view->domain_count++] = (struct view_domain){context.domain, context.domain_name};
    }
    qsort(view->domains, view->domain_count, sizeof *view->domains, by_number);
}

void make_view_domains(struct view *view, const struct tables *tables) {
    size_t most = view->domain_count + tables_context_count(tables);
    struct view_domain *more = most != 0 ? realloc(view->domains, most * sizeof *more) : NULL;
    if (more == NULL)
        return;
    view->domains = more;
    struct interner *seen = interner_new();
    if (seen != NULL)
        add_domains(view, tables, seen);
    interner_free(seen);
}

void make_view_free(struct view *view) {
    free(view->domains);
    view->domains = NULL;
    view->domain_count = 0;
    for (size_t i = 0; i < view->row_count; i++) {
        free(view->rows[i].frames);
        free(view->rows[i].histogram);
    }
    free(view->rows);
    view->rows = NULL;
    view->row_count = 0;
}

struct view_suppressed make_view_suppressed(const struct statistics *statistics) {
    const struct amount *sum = &statistics->suppressed;
    return (struct view_suppressed){.any = statistics->suppression_count != 0,
                                    .size = sum->size,
                                    .count = sum->count,
                                    .size_error = variances_error(sum->size_variance),
                                    .count_error = variances_error(sum->count_variance)};
}

struct view_suppression *make_view_suppressions(struct view_suppressed *suppressed,
                                                const struct statistics *statistics,
                                                const struct suppressions *suppressions) {
    struct view_suppression *by = calloc(statistics->suppression_count + 1, sizeof *by);
    suppressed->by = by;
    for (size_t i = 0; by != NULL && i < statistics->suppression_count; i++) {
        struct suppression at = suppressions_at(suppressions, i);
        const struct amount *amount = &statistics->suppressed_by[i];
        if (amount->size != 0 || amount->count != 0)
            by[suppressed->by_count++] =
                (struct view_suppression){at.line, at.origin, amount->size, amount->count};
    }
    return by;
}

struct view_totals make_view_totals(const struct model *model) {
    const struct measures *totals = &model->totals;
    const struct variances *variances = &model->total_variances;
    return (struct view_totals){
        .live_bytes = totals->live_bytes,
        .live_blocks = totals->live_blocks,
        .peak_bytes = totals->peak_bytes,
        .peak_blocks = totals->peak_blocks,
        .allocated_bytes = totals->allocated_bytes,
        .allocations = totals->allocations,
        .frees = totals->frees,
        .sample_bytes = model->tables->header.sample_bytes,
        .errors = {variances_error(variances->live_bytes), variances_error(variances->live_blocks),
                   variances_error(variances->peak_bytes), variances_error(variances->peak_blocks),
                   variances_error(variances->allocated_bytes), variances_error(variances->allocations),
                   variances_error(variances->frees)},
    };
}

size_t make_view_losses(const struct tables *tables, struct view_loss losses[LOSSES_COUNT]) {
    struct loss found[LOSSES_COUNT];
    losses_of(tables, found);
    for (size_t i = 0; i < LOSSES_COUNT; i++)
        losses[i] = (struct view_loss){found[i].name, found[i].meaning, found[i].value};
    return LOSSES_COUNT;
}
