/* counters.c - see counters.h; here is what is rare: a new maximum, flushes of threads, frees of blocks of
 * other threads, forks.
 * Threads: each its own cells.  Signals: no.  Heap: never. */
#include "counters.h"

#include "cells.h"
#include "contexts.h"

#define QUANTUM_MIN ((uint64_t)1024)
#define QUANTUM_MAX ((uint64_t)65536)

/* ---- totals and peak ---- */

static void set_quantum(uint64_t max) {
    struct ht_totals *totals = &image_header->totals;
    uint64_t threads = __atomic_load_n(&totals->slots_in_use, __ATOMIC_RELAXED);
    uint64_t quantum = threads > 1 ? max / (4096 * threads) : 0;
    if (threads > 1)
        quantum = quantum < QUANTUM_MIN ? QUANTUM_MIN : quantum > QUANTUM_MAX ? QUANTUM_MAX : quantum;
    __atomic_store_n(&totals->quantum_bytes, quantum, __ATOMIC_RELAXED);
    if (quantum > __atomic_load_n(&totals->quantum_max_bytes, __ATOMIC_RELAXED))
        __atomic_store_n(&totals->quantum_max_bytes, quantum, __ATOMIC_RELAXED);
}

void counters_thread_joined(void) {
    __atomic_fetch_add(&image_header->totals.slots_in_use, 1, __ATOMIC_RELAXED);
    set_quantum(__atomic_load_n(&image_header->totals.peak_bytes, __ATOMIC_RELAXED));
}

/* ---- what a free finds out ---- */

/* A sweep begins when a quarter of the maximum is live, or of what was at the end of the last. */
#define SWEEP_FROM  ((uint64_t)4 << 20)   /* a table for so few bytes is not worth it */
#define SWEEP_STEP  ((uint64_t)8 << 20)   /* bytes freed from one step of a sweep to the next, at most */
#define SWEEP_LEAST ((uint64_t)256 << 10) /* at least; and when so little is live, go on to the end */

/* Both bounds, of which a free on another thread may see one: at worst it looks here in vain. */
static void set_sweep(uint64_t below, uint64_t peak) {
    struct ht_totals *totals = &image_header->totals;
    __atomic_store_n(&totals->sweep_below, below, __ATOMIC_RELAXED);
    __atomic_store_n(&totals->quiet_bytes, peak - below, __ATOMIC_RELAXED);
}

/* A free is about to end a maximum of `live` bytes, unless another thread saw a larger one. */
static void advance_peak(uint64_t live) {
    struct ht_totals *totals = &image_header->totals;
    uint64_t max = __atomic_load_n(&totals->peak_bytes, __ATOMIC_RELAXED);
    do {
        if ((int64_t)live <= (int64_t)max)
            return;
    } while (!__atomic_compare_exchange_n(&totals->peak_bytes, &max, live, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    /* release: partner of the acquire load in counters_note_peak; cells change only after it */
    __atomic_fetch_add(&totals->peak_sequence, 1, __ATOMIC_RELEASE);
    set_quantum(live);
    set_sweep(live >= SWEEP_FROM ? live / 4 : 0, live);
}

void counters_swept(bool complete) {
    struct ht_totals *totals = &image_header->totals;
    int64_t sum = (int64_t)__atomic_load_n(&totals->live_bytes, __ATOMIC_RELAXED);
    uint64_t live = sum > 0 ? (uint64_t)sum : 0;
    uint64_t below = __atomic_load_n(&totals->sweep_below, __ATOMIC_RELAXED), step = live / 8;
    step = step < SWEEP_LEAST ? SWEEP_LEAST : step > SWEEP_STEP ? SWEEP_STEP : step;
    if (live < below && complete)
        below = live > SWEEP_LEAST ? live / 4 : 0;
    else if (live < below)
        below = live > step ? live - step : live;
    set_sweep(below, __atomic_load_n(&totals->peak_bytes, __ATOMIC_RELAXED));
}

/* A block of 0 bytes ends no maximum. */
bool counters_beyond(uint64_t live, uint64_t bytes) {
    const struct ht_totals *totals = &image_header->totals;
    if ((int64_t)live > (int64_t)__atomic_load_n(&totals->peak_bytes, __ATOMIC_RELAXED) && bytes != 0)
        advance_peak(live);
    return (int64_t)live < (int64_t)__atomic_load_n(&totals->sweep_below, __ATOMIC_RELAXED);
}

/* ---- several threads ---- */

/* Adds what this thread holds back, with `bytes`, to the live bytes; returns these as they were before. */
static uint64_t flush(struct thread *self, int64_t bytes) {
    struct ht_slot *slot = &image_slots[self->slot];
    uint64_t held = (uint64_t)(slot->unflushed_bytes + bytes);
    __atomic_store_n(&slot->unflushed_bytes, 0, __ATOMIC_RELAXED);
    return __atomic_fetch_add(&image_header->totals.live_bytes, held, __ATOMIC_RELAXED);
}

void counters_grow_shared(struct thread *self, uint64_t bytes) {
    flush(self, (int64_t)bytes);
}

bool counters_shrink_shared(struct thread *self, uint64_t bytes) {
    uint64_t before = flush(self, -(int64_t)bytes);
    return counters_is_beyond(&image_header->totals, before) && counters_beyond(before, bytes);
}

/* Looks at the other thread's cell only if it must: its line is on that thread's processor. An own cell may
 * be retired at this very moment: what is counted there counts for nobody, and the block's free will not
 * either. */
static uint32_t own_cell(struct thread *self, uint32_t id) {
    uint16_t owner = cells_owner(id);
    bool tells = owner != CELLS_CONTEXTS && owner != CELLS_RETIRED; /* else the cell does */
    return (tells ? owner : image_cells[id].slot) == self->slot ? id : cells_of_same_stack(self, id);
}

/* The block was allocated by a thread with another slot, in a context, or before traces were cleared: live =
 * allocated - freed holds for the sum. */
bool counters_freed_elsewhere(struct thread *self, uint32_t id, uint64_t size_bytes) {
    if (cells_is_of_retired(id))
        return false;
    uint32_t own = own_cell(self, id);
    bool sweep = counters_shrink(self, size_bytes);
    contexts_count(cells_context(id), 1, size_bytes, true);
    if (own == self->overflow_cell && cells_stack(id) != HT_STACK_OVERFLOW)
        image_lose(HT_LOSS_FREES, 1);
    counters_freed_in(&image_cells[own], &image_header->totals, size_bytes);
    return sweep;
}

/* ---- sampling ---- */

static void add(double *sum, double more) {
    double now = *sum + more;
    __atomic_store(sum, &now, __ATOMIC_RELAXED);
}

/* As counters_note_peak, which follows. */
static void note_peak_variance(struct ht_sample *sample, const struct ht_cell *cell) {
    uint32_t sequence = (uint32_t)__atomic_load_n(&image_header->totals.peak_sequence, __ATOMIC_ACQUIRE);
    if (cell->peak_sequence == sequence)
        return;
    add(&sample->peak_bytes_variance,
        sample->allocated_bytes_variance - sample->freed_bytes_variance - sample->peak_bytes_variance);
    add(&sample->peak_blocks_variance,
        sample->allocated_blocks_variance - sample->freed_blocks_variance - sample->peak_blocks_variance);
}

/* What a figure of a cell becomes with more parts in its sum. */
static uint64_t rounded(uint64_t parts, uint64_t whole) {
    return (parts + whole / 2) / whole;
}

/* Of what is never sampled. */
static struct weight exact_weight(uint32_t blocks, uint64_t size_bytes) {
    return (struct weight){.block_parts = (uint64_t)blocks * HT_SAMPLE_BLOCK,
                           .byte_parts = size_bytes * HT_SAMPLE_BYTE};
}

static void add_weight(struct ht_cell *cell, struct ht_sample *sample, struct weight weight, bool freed) {
    uint64_t *blocks = freed ? &sample->freed_block_parts : &sample->allocated_block_parts;
    uint64_t *bytes = freed ? &sample->freed_byte_parts : &sample->allocated_byte_parts;
    uint32_t odd = counters_open(cell);
    note_peak_variance(sample, cell);
    counters_note_peak(cell, &image_header->totals);
    counters_bump(blocks, weight.block_parts);
    counters_bump(bytes, weight.byte_parts);
    counters_bump(freed ? &sample->frees : &sample->allocations, 1);
    add(freed ? &sample->freed_bytes_variance : &sample->allocated_bytes_variance, weight.bytes_variance);
    add(freed ? &sample->freed_blocks_variance : &sample->allocated_blocks_variance, weight.blocks_variance);
    __atomic_store_n(freed ? &cell->frees : &cell->allocations, rounded(*blocks, HT_SAMPLE_BLOCK),
                     __ATOMIC_RELAXED);
    __atomic_store_n(freed ? &cell->freed_bytes : &cell->allocated_bytes, rounded(*bytes, HT_SAMPLE_BYTE),
                     __ATOMIC_RELAXED);
    counters_close(cell, odd);
}

void counters_sampled(struct thread *self, uint32_t id, struct weight weight, bool freed) {
    if (freed && cells_is_retired(id))
        return;
    uint32_t context = cells_context(id);
    id = own_cell(self, id);
    struct ht_cell *cell = &image_cells[id];
    struct ht_sample *sample = &image_samples[id];
    const struct ht_cell before = *cell;
    if (freed)
        (void)counters_shrink(self, rounded(sample->freed_byte_parts + weight.byte_parts, HT_SAMPLE_BYTE) -
                                        cell->freed_bytes);
    else
        counters_grow(self, rounded(sample->allocated_byte_parts + weight.byte_parts, HT_SAMPLE_BYTE) -
                                cell->allocated_bytes);
    add_weight(cell, sample, weight, freed);
    if (freed)
        contexts_count(context, cell->frees - before.frees, cell->freed_bytes - before.freed_bytes, true);
    else
        contexts_count(context, cell->allocations - before.allocations,
                       cell->allocated_bytes - before.allocated_bytes, false);
}

void counters_exactly(struct thread *self, uint32_t cell, uint64_t size_bytes, bool freed) {
    if (image_header->sample_bytes != 0) {
        counters_sampled(self, cell, exact_weight(1, size_bytes), freed);
    } else if (freed) {
        (void)counters_freed(self, cell, size_bytes); /* a sweep can wait */
    } else {
        counters_allocated(self, cell, size_bytes);
        contexts_count(cells_context(cell), 1, size_bytes, false);
    }
}

void counters_mapping(struct thread *self, uint32_t id, uint32_t blocks, uint64_t size_bytes, bool freed) {
    if (freed && cells_is_retired(id))
        return;
    if (image_header->sample_bytes != 0) {
        counters_sampled(self, id, exact_weight(blocks, size_bytes), freed);
        return;
    }
    uint32_t own = own_cell(self, id);
    struct ht_cell *cell = &image_cells[own];
    contexts_count(cells_context(id), blocks, size_bytes, freed);
    if (freed && own == self->overflow_cell && cells_stack(id) != HT_STACK_OVERFLOW)
        image_lose(HT_LOSS_FREES, blocks);
    if (freed)
        (void)counters_shrink(self, size_bytes); /* a sweep can wait */
    else
        counters_grow(self, size_bytes);
    uint32_t odd = counters_open(cell);
    counters_note_peak(cell, &image_header->totals);
    counters_bump(freed ? &cell->frees : &cell->allocations, blocks);
    counters_bump(freed ? &cell->freed_bytes : &cell->allocated_bytes, size_bytes);
    counters_close(cell, odd);
}

void counters_event(struct thread *self, uint32_t cell, uint64_t size_bytes, bool freed) {
    if (image_header->sample_bytes != 0)
        counters_sampled(self, cell, sample_weight(size_bytes), freed);
    else
        counters_exactly(self, cell, size_bytes, freed);
}

/* ---- beginning anew ---- */

/* What no slot holds back, and what they do: exact where no thread allocates meanwhile. */
static int64_t live_now(void) {
    uint64_t live = __atomic_load_n(&image_header->totals.live_bytes, __ATOMIC_RELAXED);
    uint64_t slots = __atomic_load_n(&image_header->regions[HT_REGION_SLOTS].used_records, __ATOMIC_RELAXED);
    for (uint64_t i = 1; i < slots; i++)
        live += (uint64_t)__atomic_load_n(&image_slots[i].unflushed_bytes, __ATOMIC_RELAXED);
    return (int64_t)live;
}

uint64_t counters_live(void) {
    int64_t live = live_now();
    return live > 0 ? (uint64_t)live : 0;
}

uint64_t counters_peak(void) {
    uint64_t live = counters_live(),
             peak = __atomic_load_n(&image_header->totals.peak_bytes, __ATOMIC_RELAXED);
    return live > peak ? live : peak;
}

void counters_reset_peak(void) {
    struct ht_totals *totals = &image_header->totals;
    uint64_t live = counters_live();
    __atomic_store_n(&totals->peak_bytes, live, __ATOMIC_RELAXED);
    /* release: partner of the acquire load in counters_note_peak; a cell that does not follow holds the peak
     */
    __atomic_fetch_add(&totals->peak_sequence, 1, __ATOMIC_RELEASE);
    set_sweep(live >= SWEEP_FROM ? live / 4 : 0, live);
}

/* What slots hold back stays there: the sum is 0 then. */
void counters_clear(void) {
    struct ht_totals *totals = &image_header->totals;
    __atomic_fetch_sub(&totals->live_bytes, (uint64_t)live_now(), __ATOMIC_RELAXED);
    image_header->inherited_blocks = 0;
    image_header->inherited_bytes = 0;
    counters_reset_peak();
}

/* ---- details ---- */

static void count_detailed(struct ht_cell *cell, struct ht_detail *detail, uint64_t size_bytes, bool freed,
                           const struct happening *happening) {
    uint32_t odd = counters_open(cell);
    if (detail != NULL)
        details_note_peak(detail, cell);
    counters_note_peak(cell, &image_header->totals);
    counters_bump(freed ? &cell->frees : &cell->allocations, 1);
    counters_bump(freed ? &cell->freed_bytes : &cell->allocated_bytes, size_bytes);
    if (detail != NULL && freed)
        details_freed(detail, size_bytes, happening);
    else if (detail != NULL)
        details_allocated(detail, size_bytes, happening);
    counters_close(cell, odd);
}

bool counters_detailed(struct thread *self, uint32_t id, uint64_t size_bytes, bool freed,
                       const struct happening *happening) {
    bool sweep = false;
    if (freed && cells_is_retired(id))
        return false;
    uint32_t own = own_cell(self, id);
    if (own == self->overflow_cell && cells_stack(id) != HT_STACK_OVERFLOW)
        image_lose(HT_LOSS_FREES, 1);
    contexts_count(cells_context(id), 1, size_bytes, freed);
    struct ht_detail *detail = details_of(own);
    if (detail == NULL)
        image_lose(HT_LOSS_DETAILS, 1);
    if (freed)
        sweep = counters_shrink(self, size_bytes);
    else
        counters_grow(self, size_bytes);
    count_detailed(&image_cells[own], detail, size_bytes, freed, happening);
    return sweep;
}

void counters_inherit_birth(uint32_t cell, uint64_t size_bytes, const struct birth *birth) {
    struct ht_detail *detail = details_of(cell);
    if (detail != NULL)
        details_inherit(detail, size_bytes, birth);
    else
        image_lose(HT_LOSS_DETAILS, 1);
}

/* ---- after a fork: one thread, so plain stores ---- */

/* Record 0 is counted as used even where nothing could be committed. */
static uint64_t touchable(enum ht_region_id id) {
    const struct ht_region *region = &image_header->regions[id];
    uint64_t committed = region->committed_bytes / region->record_bytes;
    return region->used_records < committed ? region->used_records : committed;
}

/* The parent went on while the cells were copied: to one that was handed out before it may have given a stack
 * that is not among those copied. No block of the child's is counted there. */
static struct ht_cell blank(const struct ht_cell *cell, uint64_t stacks) {
    return cell->stack < stacks ? (struct ht_cell){.stack = cell->stack, .slot = cell->slot}
                                : (struct ht_cell){0};
}

void counters_reset(void) {
    uint64_t stacks = touchable(HT_REGION_STACKS);
    for (uint64_t i = 1; i < touchable(HT_REGION_CELLS); i++)
        image_cells[i] = blank(&image_cells[i], stacks);
    for (uint64_t i = 1; i < touchable(HT_REGION_SAMPLES); i++)
        image_samples[i] = (struct ht_sample){0};
    contexts_clear();
    image_header->totals =
        (struct ht_totals){.peak_sequence = 1, .slots_in_use = image_header->totals.slots_in_use};
    image_header->inherited_blocks = 0;
    image_header->inherited_bytes = 0;
}

void counters_inherit(uint32_t id, uint64_t size_bytes, bool sampled) {
    struct ht_cell *cell = &image_cells[id];
    if (cells_is_retired(id))
        return;
    uint64_t blocks = cell->allocations, bytes = cell->allocated_bytes;
    if (image_header->sample_bytes != 0) {
        add_weight(cell, &image_samples[id],
                   sampled ? sample_weight(size_bytes) : exact_weight(1, size_bytes), false);
    } else {
        cell->allocations++;
        cell->allocated_bytes += size_bytes;
    }
    image_header->inherited_blocks += cell->allocations - blocks;
    image_header->inherited_bytes += cell->allocated_bytes - bytes;
    contexts_count(cells_context(id), cell->allocations - blocks, cell->allocated_bytes - bytes, false);
}

void counters_settle(void) {
    image_header->totals.live_bytes = image_header->inherited_bytes;
}
