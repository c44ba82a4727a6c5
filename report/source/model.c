/* model.c - see model.h.
 * Owns:    the rows.
 * Holds:   totals are the sums of the rows.
 * Threads: any, one at a time.  Signals: no.  Heap: yes. */
#include "model.h"

#include <stdlib.h>

/* Counters of a damaged file may be anything: the sums wrap, and are never undefined. */
static int64_t plus(int64_t a, uint64_t b) {
    return (int64_t)((uint64_t)a + b);
}

static void add(struct measures *to, const struct measures *from) {
    to->live_bytes = plus(to->live_bytes, (uint64_t)from->live_bytes);
    to->live_blocks = plus(to->live_blocks, (uint64_t)from->live_blocks);
    to->peak_bytes = plus(to->peak_bytes, (uint64_t)from->peak_bytes);
    to->peak_blocks = plus(to->peak_blocks, (uint64_t)from->peak_blocks);
    to->allocated_bytes += from->allocated_bytes;
    to->allocations += from->allocations;
    to->freed_bytes += from->freed_bytes;
    to->frees += from->frees;
}

/* Also where there are none. */
static void add_variances(struct variances *to, const struct variances *from) {
    if (to != NULL && from != NULL)
        variances_add(to, from);
}

static void add_details(struct ht_detail *to, const struct ht_detail *from) {
    if (to != NULL && from != NULL)
        details_add(to, from);
}

static void add_cell(struct measures *to, const struct ht_cell *cell, uint32_t peak_sequence) {
    uint64_t live_bytes = cell->allocated_bytes - cell->freed_bytes;
    uint64_t live_blocks = cell->allocations - cell->frees;
    bool kept = cell->peak_sequence == peak_sequence;
    to->live_bytes = plus(to->live_bytes, live_bytes);
    to->live_blocks = plus(to->live_blocks, live_blocks);
    to->peak_bytes = plus(to->peak_bytes, kept ? (uint64_t)cell->peak_bytes : live_bytes);
    to->peak_blocks = plus(to->peak_blocks, kept ? (uint64_t)cell->peak_blocks : live_blocks);
    to->allocated_bytes += cell->allocated_bytes;
    to->allocations += cell->allocations;
    to->freed_bytes += cell->freed_bytes;
    to->frees += cell->frees;
}

/* The special stacks get hashes of their own: no real stack is merged with them. */
static struct model_stack name_row(const struct tables *tables, const struct ht_cell *cell,
                                   enum model_rows rows) {
    const struct ht_stack *stack = tables_stack(tables, cell->stack);
    bool special = cell->stack < HT_STACK_FIRST;
    return (struct model_stack){.hash_lo = special ? cell->stack : stack->hash_lo,
                                .hash_hi = special ? UINT64_MAX : stack->hash_hi,
                                .stack = cell->stack,
                                .slot = rows == MODEL_BY_STACK ? 0 : cell->slot,
                                .context = stack->context};
}

/* One row per cell in use. */
static void take_cells(struct model *self, enum model_rows rows) {
    const struct records *cells = &self->tables->region[HT_REGION_CELLS];
    uint32_t peak_sequence = (uint32_t)self->tables->header.totals.peak_sequence;
    for (uint32_t i = 1; i < cells->count; i++) {
        const struct ht_cell *cell = tables_cells(self->tables) + i;
        if (cell->stack == HT_STACK_NONE)
            continue;
        struct model_stack *row = &self->stacks[self->cell_count];
        *row = name_row(self->tables, cell, rows);
        if (self->variances != NULL) {
            row->variances = &self->variances[self->cell_count];
            *row->variances = variances_of_cell(self->tables, i);
        }
        if (self->details != NULL) {
            row->details = &self->details[self->cell_count];
            *row->details = details_of_cell(self->tables, i);
        }
        self->cell_count++;
        add_cell(&row->measures, cell, peak_sequence);
    }
}

static int by_identity(const void *a, const void *b) {
    const struct model_stack *x = a, *y = b;
    if (x->hash_hi != y->hash_hi)
        return x->hash_hi < y->hash_hi ? -1 : 1;
    if (x->hash_lo != y->hash_lo)
        return x->hash_lo < y->hash_lo ? -1 : 1;
    if (x->context != y->context)
        return x->context < y->context ? -1 : 1;
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static size_t merge_equal(struct model_stack *rows, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept != 0 && by_identity(&rows[kept - 1], &rows[i]) == 0) {
            add(&rows[kept - 1].measures, &rows[i].measures);
            add_variances(rows[kept - 1].variances, rows[i].variances);
            add_details(rows[kept - 1].details, rows[i].details);
        } else {
            rows[kept++] = rows[i];
        }
    return kept;
}

/* tables.md: live lies between sum(allocated first - freed later) and the reverse. */
static void bound_live(struct model *self) {
    const struct records *first = &self->tables->region[HT_REGION_CELLS];
    const struct records *later = &self->tables->cells_later;
    uint64_t allocated[2] = {0, 0}, freed[2] = {0, 0};
    for (int time = 0; time < 2; time++) {
        const struct records *cells = time == 0 ? first : later;
        for (uint32_t i = 1; i < cells->count; i++) {
            const struct ht_cell *cell = (const struct ht_cell *)cells->at + i;
            allocated[time] += cell->stack != 0 ? cell->allocated_bytes : 0;
            freed[time] += cell->stack != 0 ? cell->freed_bytes : 0;
        }
    }
    self->live_low_bytes = (int64_t)(allocated[0] - freed[1]);
    self->live_high_bytes = (int64_t)(allocated[1] - freed[0]);
}

static void peak_now(struct measures *measures, struct variances *variances, struct ht_detail *details) {
    measures->peak_bytes = measures->live_bytes;
    measures->peak_blocks = measures->live_blocks;
    if (details != NULL)
        details->peak_waste_bytes = details_waste(details);
    if (variances == NULL)
        return;
    variances->peak_bytes = variances->live_bytes;
    variances->peak_blocks = variances->live_blocks;
}

static void find_peak(struct model *self) {
    const struct ht_totals *totals = &self->tables->header.totals;
    if (self->totals.live_bytes > 0 && (uint64_t)self->totals.live_bytes > totals->peak_bytes) {
        self->peak_is_now = true;
        for (size_t i = 0; i < self->stack_count; i++)
            peak_now(&self->stacks[i].measures, self->stacks[i].variances, self->stacks[i].details);
        peak_now(&self->totals, &self->total_variances, &self->total_details);
    }
    self->peak_bound_bytes = 2 * totals->slots_in_use * totals->quantum_max_bytes;
}

/* Of a process that has ended without a snapshot, its last event is the last that is known. No clock comes to
 * 2^63 ns: an age of a damaged file is at most that, and can be counted from. */
static uint64_t when(const struct tables *tables, const struct ht_detail *total) {
    uint64_t epoch = tables->header.details_epoch_ns, taken = tables->header.taken_monotonic_ns;
    uint64_t now = taken > epoch ? taken - epoch : 0;
    now = now > total->last_ns ? now : total->last_ns;
    return now < INT64_MAX ? now : INT64_MAX;
}

static void build(struct model *self, enum model_rows rows) {
    take_cells(self, rows);
    self->stack_count = self->cell_count;
    if (rows != MODEL_BY_CELL) {
        qsort(self->stacks, self->cell_count, sizeof *self->stacks, by_identity);
        self->stack_count = merge_equal(self->stacks, self->cell_count);
    }
    for (size_t i = 0; i < self->stack_count; i++) {
        add(&self->totals, &self->stacks[i].measures);
        add_variances(&self->total_variances, self->stacks[i].variances);
        add_details(&self->total_details, self->stacks[i].details);
    }
    self->now_ns = when(self->tables, &self->total_details);
    find_peak(self);
    self->live_low_bytes = self->live_high_bytes = self->totals.live_bytes;
    if (self->tables->running)
        bound_live(self);
}

struct model *model_new_rows(const struct tables *tables, enum model_rows rows, struct error *error) {
    struct model *self = calloc(1, sizeof *self);
    size_t room = tables->region[HT_REGION_CELLS].count + (size_t)1;
    struct model_stack *stacks = calloc(room, sizeof *stacks);
    bool sampled = tables->header.sample_bytes != 0;
    struct variances *variances = sampled ? calloc(room, sizeof *variances) : NULL;
    bool detailed = details_present(tables);
    struct ht_detail *details = detailed ? calloc(room, sizeof *details) : NULL;
    if (self == NULL || stacks == NULL || (sampled && variances == NULL) || (detailed && details == NULL)) {
        free(self);
        free(stacks);
        free(variances);
        free(details);
        error_out_of_memory(error);
        return NULL;
    }
    self->tables = tables;
    self->stacks = stacks;
    self->variances = variances;
    self->details = details;
    build(self, rows);
    return self;
}

struct model *model_new(const struct tables *tables, struct error *error) {
    return model_new_rows(tables, MODEL_BY_STACK, error);
}

void model_free(struct model *self) {
    if (self == NULL)
        return;
    free(self->stacks);
    free(self->variances);
    free(self->details);
    free(self);
}
