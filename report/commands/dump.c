/* dump.c - heaptally dump SOURCE: the live blocks and their stacks as text, which heaptally import reads.
 * Owns:    everything it loads, until it has printed.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "commands.h"
#include "options.h"
#include "../exchange/trace_line.h"
#include "../source/open.h"
#include "../stats/traces.h"

#include <inttypes.h>
#include <stdio.h>

struct dump {
    const struct model *model;
    struct traces *traces;
    uint64_t nameless; /* traces whose blocks are in no line */
};

/* What has no line is named by its module and offset, and stands on line 0. */
static void put_frame(const struct frame *frame) {
    trace_line_put_file(stdout, frame->file != NULL ? frame->file : frame->module);
    if (frame->file == NULL && frame->has_offset)
        printf("+0x%" PRIx64, frame->offset);
    printf(":%" PRIu32, frame->line);
}

/* The untruncated depth; of a native stack, with its inlined frames at least. */
static uint32_t total_nframe(const struct dump *self, size_t trace, size_t frames) {
    const struct ht_stack *stack = tables_stack(self->model->tables, self->model->stacks[trace].stack);
    size_t total = frames > stack->depth ? frames : stack->depth;
    return total < UINT16_MAX ? (uint32_t)total : UINT16_MAX;
}

static void put_block(const struct dump *self, size_t trace, uint64_t size, const frame_id *ids,
                      size_t count) {
    const struct frames *frames = traces_frame_table(self->traces);
    printf("%" PRIu32 " %" PRIu64 " %" PRIu32, traces_domain(self->traces, trace), size,
           total_nframe(self, trace, count));
    for (size_t i = 0; i < count; i++) {
        putchar(i == 0 ? ' ' : ';');
        put_frame(frames_get(frames, ids[i]));
    }
    putchar('\n');
}

/* The sizes of a trace's blocks are known by their sum; where that does not divide, some are a byte larger.
 */
static bool put_trace(struct dump *self, size_t trace) {
    struct amount amount = traces_amount(self->traces, trace, METRIC_LIVE);
    const frame_id *ids;
    size_t count;
    if (amount.count <= 0 || amount.size < 0) {
        self->nameless += amount.count != 0 || amount.size != 0;
        return true;
    }
    if (!traces_frames(self->traces, trace, &ids, &count))
        return false;
    uint64_t blocks = (uint64_t)amount.count, size = (uint64_t)amount.size;
    for (uint64_t i = 0; i < blocks && !ferror(stdout); i++)
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

static bool print(struct dump *self, struct error *error) {
    for (size_t i = 0; i < traces_count(self->traces); i++)
        if (!put_trace(self, i))
            return error_out_of_memory(error);
    if (self->nameless != 0)
        fprintf(stderr,
                "heaptally: dump: %" PRIu64 " stacks hold no positive number of blocks, and are left out\n",
                self->nameless);
    return true;
}

static bool load(const struct source *source, struct error *error) {
    struct symbols *symbols = symbols_new(NULL);
    struct frames *frames = frames_new();
    struct model *model = make_model(source->tables, error);
    struct dump dump = {.model = model};
    if (symbols == NULL || frames == NULL)
        error_out_of_memory(error);
    else if (model != NULL)
        dump.traces = traces_new(model, symbols, frames, error);
    bool done = dump.traces != NULL && print(&dump, error);
    traces_free(dump.traces);
    model_free(model);
    frames_free(frames);
    if (symbols != NULL)
        symbols_free(symbols);
    return done;
}

static bool dump_source(const char *name, struct error *error) {
    struct source source;
    if (!source_open(&source, name, error))
        return false;
    if (source.note[0] != '\0')
        fprintf(stderr, "heaptally: %s\n", source.note);
    bool done =
        source.tables->header.sample_bytes == 0
            ? load(&source, error)
            : error_set(error,
                        "dump: %s: a process that was sampled has estimates, and no list of its blocks; "
                        "heaptally top has the estimates",
                        name);
    source_close(&source);
    return done;
}

static int run(int argc, char **argv, struct error *error) {
    const struct option_table table = {
        .command = "dump",
        .synopsis = "SOURCE",
        .about = "Prints the live blocks of a snapshot file, a live image or a pid, one a line:\n\n"
                 "    DOMAIN SIZE TOTAL_NFRAME FILE:LINE;FILE:LINE;...\n\n"
                 "with the newest frame first, for scripts and for heaptally import. Blocks of one stack are "
                 "given the average of\n"
                 "their sizes, unless the snapshot was imported.",
    };
    const struct operands_wanted wanted = {1, "needs one SOURCE: a snapshot file, an image or a pid"};
    int status;
    if (!options_ready(&table, wanted, argc, argv, &status, error))
        return status;
    return dump_source(argv[1], error) ? 0 : EXIT_FAILED;
}

const struct command command_dump = {"dump", "print the live blocks with their stacks as text", run};
