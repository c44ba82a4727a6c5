/* traces.c - see traces.h.
 * Owns:    the resolver, scratch arrays, the verdicts of blame.
 * Holds:   verdicts belong to the blame that was asked last.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "traces.h"
#include "resolver.h"

#include <stdlib.h>
#include <string.h>

enum verdict { UNKNOWN, SKIPPED, NAMED };

struct traces {
    const struct model *model;
    struct symbols *symbols;
    struct frames *frames;
    struct resolver *resolver;
    uint32_t *entries; /* decoded stack, outermost first */
    frame_id *ids;
    size_t id_room;
    uint8_t *verdicts; /* enum verdict, by frame id */
    size_t verdict_room;
    struct blame judged; /* whose verdicts they are */
    struct blame_judge *judge;
    bool *of_tracer; /* by module */
};

/* The tracer's own frames, where it calls the allocator in the program's stead, are none of the program's. */
static bool *find_tracer(const struct tables *tables) {
    static const char name[] = "/libheaptally.so";
    uint32_t count = tables->region[HT_REGION_MODULES].count;
    bool *found = calloc(count + (size_t)1, sizeof *found);
    for (uint32_t i = 1; found != NULL && i < count; i++) {
        const char *path = tables_module_path(tables, i);
        size_t length = strlen(path);
        found[i] = tables_source_file(tables, i) == NULL && length >= sizeof name - 1 &&
                   strcmp(path + length - (sizeof name - 1), name) == 0;
    }
    return found;
}

struct traces *traces_new(const struct model *model, struct symbols *symbols, struct frames *frames,
                          struct error *error) {
    struct traces *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->model = model;
        self->symbols = symbols;
        self->frames = frames;
        self->resolver = resolver_new(model->tables, symbols, frames);
        self->entries = malloc((size_t)HT_NFRAME_MAX * sizeof *self->entries);
        self->of_tracer = find_tracer(model->tables);
        if (self->resolver != NULL && self->entries != NULL && self->of_tracer != NULL)
            return self;
    }
    traces_free(self);
    error_out_of_memory(error);
    return NULL;
}

void traces_free(struct traces *self) {
    if (self == NULL)
        return;
    resolver_free(self->resolver);
    free(self->entries);
    free(self->ids);
    free(self->verdicts);
    blame_judge_free(self->judge);
    free(self->of_tracer);
    free(self);
}

bool traces_use_builds(struct traces *self, const struct builds *builds) {
    return resolver_use_builds(self->resolver, builds);
}

size_t traces_count(const struct traces *self) {
    return self->model->stack_count;
}

struct frames *traces_frame_table(const struct traces *self) {
    return self->frames;
}

const struct ht_detail *traces_details(const struct traces *self, size_t trace) {
    return self->model->stacks[trace].details;
}

static struct amount amount_of_details(const struct model_stack *row, enum metric metric) {
    static const struct ht_detail none;
    const struct ht_detail *details = row->details != NULL ? row->details : &none;
    switch (metric) {
    case METRIC_TEMPORARY:
        return (struct amount){(int64_t)details->temporary_bytes, (int64_t)details->temporaries, 0, 0};
    case METRIC_REALLOCS:
        return (struct amount){(int64_t)details->realloc_bytes, (int64_t)details->reallocs, 0, 0};
    case METRIC_WASTE: return (struct amount){details_waste(details), row->measures.live_blocks, 0, 0};
    default: return (struct amount){details->peak_waste_bytes, row->measures.peak_blocks, 0, 0};
    }
}

struct amount traces_amount(const struct traces *self, size_t trace, enum metric metric) {
    static const struct variances exact;
    const struct model_stack *row = &self->model->stacks[trace];
    const struct measures *measures = &row->measures;
    const struct variances *variances = row->variances != NULL ? row->variances : &exact;
    switch (metric) {
    case METRIC_PEAK:
        return (struct amount){measures->peak_bytes, measures->peak_blocks, variances->peak_bytes,
                               variances->peak_blocks};
    case METRIC_TOTAL:
        return (struct amount){(int64_t)measures->allocated_bytes, (int64_t)measures->allocations,
                               variances->allocated_bytes, variances->allocations};
    case METRIC_FREED:
        return (struct amount){(int64_t)measures->freed_bytes, (int64_t)measures->frees,
                               variances->freed_bytes, variances->frees};
    case METRIC_TEMPORARY:
    case METRIC_REALLOCS:
    case METRIC_WASTE:
    case METRIC_PEAK_WASTE: return amount_of_details(row, metric);
    default:
        return (struct amount){measures->live_bytes, measures->live_blocks, variances->live_bytes,
                               variances->live_blocks};
    }
}

static struct tables_context context_of(const struct traces *self, size_t trace) {
    return tables_context(self->model->tables, self->model->stacks[trace].context);
}

uint32_t traces_domain(const struct traces *self, size_t trace) {
    return context_of(self, trace).domain;
}

const char *traces_domain_name(const struct traces *self, size_t trace) {
    struct tables_context context = context_of(self, trace);
    return context.domain == HT_DOMAIN_HEAP ? "heap" : context.domain_name;
}

const char *traces_scope(const struct traces *self, size_t trace) {
    return context_of(self, trace).scope;
}

const char *traces_tag(const struct traces *self, size_t trace) {
    return context_of(self, trace).tag;
}

uint32_t traces_thread(const struct traces *self, size_t trace) {
    const struct tables *tables = self->model->tables;
    uint32_t slot = self->model->stacks[trace].slot;
    return slot != 0 && slot < tables->region[HT_REGION_SLOTS].count ? tables_slots(tables)[slot].tid : 0;
}

/* ---- frames ---- */

static bool push(struct traces *self, size_t *count, frame_id id) {
    if (*count == self->id_room) {
        size_t room = self->id_room != 0 ? 2 * self->id_room : 256;
        frame_id *more = realloc(self->ids, room * sizeof *more);
        if (more == NULL)
            return false;
        self->ids = more;
        self->id_room = room;
    }
    self->ids[(*count)++] = id;
    return id != FRAME_NONE;
}

/* The frame of a stack that has none. */
static frame_id no_stack(struct traces *self, uint32_t stack) {
    const struct ht_stack *record = tables_stack(self->model->tables, stack);
    uint32_t reason = stack < HT_STACK_FIRST     ? stack
                      : record->frame_count == 0 ? record->base
                                                 : HT_STACK_NONE;
    struct frame frame = {.module = reason == HT_STACK_OVERFLOW       ? "[overflow]"
                                    : reason == HT_STACK_UNATTRIBUTED ? "[unattributed]"
                                                                      : "[no stack]"};
    return frames_put(self->frames, &frame);
}

/* Fills self->entries with the program's own frames of a trace, outermost first. */
static size_t decode(struct traces *self, size_t trace) {
    const struct tables *tables = self->model->tables;
    uint32_t stack = self->model->stacks[trace].stack;
    size_t count = stack < HT_STACK_FIRST ? 0 : tables_frames(tables, stack, self->entries), kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!self->of_tracer[tables_pc(tables, self->entries[i] & HT_FRAME_PC)->module])
            self->entries[kept++] = self->entries[i];
    return kept;
}

bool traces_frames(struct traces *self, size_t trace, const frame_id **ids, size_t *count) {
    size_t entries = decode(self, trace);
    *count = 0;
    for (size_t i = entries; i-- > 0;) {
        const frame_id *chain;
        size_t length;
        if (!resolver_chain(self->resolver, self->entries[i], &chain, &length))
            return false;
        for (size_t j = 0; j < length; j++)
            if (!push(self, count, chain[j]))
                return false;
    }
    if (entries == 0 && !push(self, count, no_stack(self, self->model->stacks[trace].stack)))
        return false;
    *ids = self->ids;
    return true;
}

bool traces_module(struct traces *self, size_t trace, frame_id *id) {
    const struct tables *tables = self->model->tables;
    size_t entries = decode(self, trace);
    struct frame frame = {0};
    if (entries == 0) {
        *id = no_stack(self, self->model->stacks[trace].stack);
        return *id != FRAME_NONE;
    }
    uint32_t module = tables_pc(tables, self->entries[entries - 1] & HT_FRAME_PC)->module;
    frame.module = resolver_module_name(self->resolver, module);
    *id = frames_put(self->frames, &frame);
    return *id != FRAME_NONE;
}

/* ---- kinds ---- */

/* What the newest frames of a chain, which are operators, say; *all: the rest too. */
static enum kind kind_of_chain(const struct traces *self, const frame_id *chain, size_t length, bool *all) {
    enum kind kind = KIND_UNKNOWN;
    size_t i = 0;
    for (; i < length; i++) {
        const char *function = frames_get(self->frames, chain[i])->function;
        enum kind of_frame = function != NULL ? kind_of_function(function) : KIND_UNKNOWN;
        if (of_frame == KIND_UNKNOWN)
            break;
        kind = of_frame;
    }
    *all = i == length;
    return kind;
}

/* The call in the first frame that is no operator says most; then the operators do. Where neither does, what
 * was called is malloc, or in code without symbols an operator, perhaps. */
static bool kind_of_entries(struct traces *self, size_t entries, enum kind *kind) {
    *kind = KIND_UNKNOWN;
    for (size_t i = entries; i-- > 0;) {
        const frame_id *chain;
        size_t length;
        bool all;
        if (!resolver_chain(self->resolver, self->entries[i], &chain, &length))
            return false;
        bool named = frames_get(self->frames, chain[0])->function != NULL;
        enum kind of_chain = kind_of_chain(self, chain, length, &all);
        if (of_chain != KIND_UNKNOWN)
            *kind = of_chain;
        if (all)
            continue;
        const char *callee =
            of_chain == KIND_UNKNOWN ? resolver_callee(self->resolver, self->entries[i]) : NULL;
        enum kind called = callee != NULL ? kind_of_function(callee) : KIND_UNKNOWN;
        if (called > KIND_MALLOC || *kind == KIND_UNKNOWN)
            *kind = called != KIND_UNKNOWN || !named ? called : KIND_MALLOC;
        break;
    }
    return true;
}

bool traces_kind(struct traces *self, size_t trace, enum kind *kind) {
    *kind = KIND_OTHER;
    return traces_domain(self, trace) != HT_DOMAIN_HEAP || kind_of_entries(self, decode(self, trace), kind);
}

/* ---- blame ---- */

static bool room_for_verdict(struct traces *self, frame_id id) {
    if (id < self->verdict_room)
        return true;
    size_t room = 2 * (size_t)frames_count(self->frames) + 1024;
    uint8_t *more = realloc(self->verdicts, room);
    if (more == NULL)
        return false;
    memset(more + self->verdict_room, UNKNOWN, room - self->verdict_room);
    self->verdicts = more;
    self->verdict_room = room;
    return true;
}

static bool skipped(struct traces *self, const struct blame *blame, frame_id id) {
    if (blame->raw || !room_for_verdict(self, id))
        return false;
    if (self->verdicts[id] == UNKNOWN)
        self->verdicts[id] = blame_skips(self->judge, frames_get(self->frames, id)) ? SKIPPED : NAMED;
    return self->verdicts[id] == SKIPPED;
}

static bool same_patterns(const struct blame *a, const struct blame *b) {
    return a->extra == b->extra && a->extra_count == b->extra_count && a->kept == b->kept &&
           a->kept_count == b->kept_count;
}

/* False when out of memory. */
static bool judge_for(struct traces *self, const struct blame *blame) {
    if (self->judge != NULL && same_patterns(&self->judged, blame))
        return true;
    if (self->verdicts != NULL)
        memset(self->verdicts, UNKNOWN, self->verdict_room);
    blame_judge_free(self->judge);
    self->judge = blame_judge_new(blame);
    self->judged = *blame;
    return self->judge != NULL;
}

bool traces_blamed(struct traces *self, size_t trace, const struct blame *blame, frame_id *id) {
    size_t entries = decode(self, trace);
    frame_id newest = FRAME_NONE;
    if (!blame->raw && !judge_for(self, blame))
        return false;
    for (size_t i = entries; i-- > 0;) {
        const frame_id *chain;
        size_t length;
        if (!resolver_chain(self->resolver, self->entries[i], &chain, &length))
            return false;
        if (newest == FRAME_NONE)
            newest = chain[0];
        for (size_t j = 0; j < length; j++) {
            *id = chain[j];
            if (!skipped(self, blame, *id))
                return true;
        }
    }
    *id = entries != 0 ? newest : no_stack(self, self->model->stacks[trace].stack);
    return *id != FRAME_NONE;
}

size_t traces_symbols_module(const struct traces *self, uint32_t id) {
    return resolver_symbols_module(self->resolver, id);
}

struct symbols_status traces_symbols_status(struct traces *self, uint32_t module) {
    if (tables_source_file(self->model->tables, module) != NULL)
        return (struct symbols_status){SYMBOLS_DWARF, "lines as they were imported"};
    return symbols_status(self->symbols, resolver_symbols_module(self->resolver, module));
}
