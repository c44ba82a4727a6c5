/* make_view.c - see make_view.h.
 * Owns:    the rows it makes.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "make_view.h"

#include <stdlib.h>

static struct view_frame frame_of(const struct frames *frames, frame_id id) {
    const struct frame *frame = frames_get(frames, id);
    return (struct view_frame){.file = frame->file,
                               .function = frame->function,
                               .module = frame->module,
                               .offset = frame->offset,
                               .line = frame->line,
                               .has_offset = frame->has_offset};
}

/* What the group has by its key; function and module, if not, of a member. */
static struct view_frame place_of(const struct frames *frames, const struct statistic *row,
                                  enum view_key key) {
    struct view_frame place = frame_of(frames, row->frames[0]), sample = frame_of(frames, row->sample);
    if (place.function == NULL && key != VIEW_MODULE && key != VIEW_FILENAME)
        place.function = sample.function;
    if (place.module == NULL)
        place.module = sample.module;
    return place;
}

static bool fill_row(struct view_row *to, const struct statistic *from, const struct frames *frames,
                     enum view_key key) {
    *to = (struct view_row){.place = place_of(frames, from, key),
                            .frame_count = from->frame_count,
                            .size = from->size,
                            .count = from->count,
                            .size_diff = from->size_diff,
                            .count_diff = from->count_diff};
    to->frames = malloc(from->frame_count * sizeof *to->frames);
    if (to->frames == NULL)
        return false;
    for (size_t i = 0; i < from->frame_count; i++)
        to->frames[i] = frame_of(frames, from->frames[i]);
    if (key != VIEW_TRACEBACK)
        to->frames[0] = to->place;
    return true;
}

bool make_view_rows(struct view *view, const struct statistics *statistics, const struct frames *frames) {
    size_t shown = view->asked != 0 && view->asked < statistics->count ? view->asked : statistics->count;
    view->rows = calloc(shown + 1, sizeof *view->rows);
    if (view->rows == NULL)
        return false;
    for (; view->row_count < shown; view->row_count++)
        if (!fill_row(&view->rows[view->row_count], &statistics->rows[view->row_count], frames, view->key)) {
            make_view_free(view);
            return false;
        }
    for (size_t i = shown; i < statistics->count; i++) {
        view->other_count++;
        view->other_size += statistics->rows[i].size;
        view->other_size_diff += statistics->rows[i].size_diff;
    }
    return true;
}

void make_view_free(struct view *view) {
    for (size_t i = 0; i < view->row_count; i++)
        free(view->rows[i].frames);
    free(view->rows);
    view->rows = NULL;
    view->row_count = 0;
}

struct view_totals make_view_totals(const struct model *model) {
    const struct measures *totals = &model->totals;
    return (struct view_totals){totals->live_bytes,  totals->live_blocks,     totals->peak_bytes,
                                totals->peak_blocks, totals->allocated_bytes, totals->allocations,
                                totals->frees};
}

size_t make_view_losses(const struct tables *tables, struct view_loss losses[LOSSES_COUNT]) {
    struct loss found[LOSSES_COUNT];
    losses_of(tables, found);
    for (size_t i = 0; i < LOSSES_COUNT; i++)
        losses[i] = (struct view_loss){found[i].name, found[i].meaning, found[i].value};
    return LOSSES_COUNT;
}
