/* traces_out.c - see traces_out.h.
 * Owns:    the model and the frames, for one call.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "traces_out.h"
#include "trace_line.h"
#include "../stats/traces.h"

#include <inttypes.h>

struct traces_out {
    FILE *out;
    const struct model *model;
    struct traces *traces;
    uint64_t left_out; /* traces whose blocks are in no line */
};

/* What has no line is named by its module and offset, and stands on line 0. */
static void put_frame(FILE *out, const struct frame *frame) {
    trace_line_put_file(out, frame->file != NULL ? frame->file : frame->module);
    if (frame->file == NULL && frame->has_offset)
        fprintf(out, "+0x%" PRIx64, frame->offset);
    fprintf(out, ":%" PRIu32, frame->line);
}

/* The untruncated depth; of a native stack, with its inlined frames at least. */
static uint32_t total_nframe(const struct traces_out *self, size_t trace, size_t frames) {
    const struct ht_stack *stack = tables_stack(self->model->tables, self->model->stacks[trace].stack);
    size_t total = frames > stack->depth ? frames : stack->depth;
    return total < UINT16_MAX ? (uint32_t)total : UINT16_MAX;
}

static void put_block(const struct traces_out *self, size_t trace, uint64_t size, const frame_id *ids,
                      size_t count) {
    const struct frames *frames = traces_frame_table(self->traces);
    fprintf(self->out, "%" PRIu32 " %" PRIu64 " %" PRIu32, traces_domain(self->traces, trace), size,
            total_nframe(self, trace, count));
    for (size_t i = 0; i < count; i++) {
        fputc(i == 0 ? ' ' : ';', self->out);
        put_frame(self->out, frames_get(frames, ids[i]));
    }
    fputc('\n', self->out);
}

/* The sizes of a trace's blocks are known by their sum; where that does not divide, some are a byte larger.
 */
static bool put_trace(struct traces_out *self, size_t trace) {
    struct amount amount = traces_amount(self->traces, trace, METRIC_LIVE);
    const frame_id *ids;
    size_t count;
    if (amount.count <= 0 || amount.size < 0) {
        self->left_out += amount.count != 0 || amount.size != 0;
        return true;
    }
    if (!traces_frames(self->traces, trace, &ids, &count))
        return false;
    uint64_t blocks = (uint64_t)amount.count, size = (uint64_t)amount.size;
    for (uint64_t i = 0; i < blocks && !ferror(self->out); i++)
        put_block(self, trace, size / blocks + (i < size % blocks), ids, count);
    return true;
}

/* Where nothing was freed, cells alone say what lives, and they are finer than stacks. */
static struct model *make_model(const struct tables *tables, struct error *error) {
    struct model *model = model_new(tables, error);
    if (model == NULL || model->totals.frees != 0)
        return model;
    model_free(model);
    return model_new_rows(tables, MODEL_BY_CELL, error);
}

static bool put_traces(struct traces_out *self, struct error *error) {
    for (size_t i = 0; i < traces_count(self->traces); i++)
        if (!put_trace(self, i))
            return error_out_of_memory(error);
    return true;
}

bool traces_out_write(const struct tables *tables, FILE *out, uint64_t *left_out, struct error *error) {
    struct symbols *symbols = symbols_new(NULL);
    struct frames *frames = frames_new();
    struct model *model = make_model(tables, error);
    struct traces_out self = {.out = out, .model = model};
    if (symbols == NULL || frames == NULL)
        error_out_of_memory(error);
    else if (model != NULL)
        self.traces = traces_new(model, symbols, frames, error);
    bool done = self.traces != NULL && put_traces(&self, error);
    *left_out = self.left_out;
    traces_free(self.traces);
    model_free(model);
    frames_free(frames);
    if (symbols != NULL)
        symbols_free(symbols);
    return done;
}
