/* counters.c - see counters.h.
 *
 * Memory orders: a cell has one writer and racing readers. The writer makes write_sequence odd, changes
 * the cell, makes it even with release; a reader loads it with acquire before and, after an acquire fence,
 * again. All other fields are relaxed: they are only trusted between two equal even sequences.
 *
 * Threads: each its own cells.  Signals: no.  Heap: never. */
#include "counters.h"

#include "image.h"
#include "cells.h"

#include <sys/single_threaded.h>

#define QUANTUM_MIN ((uint64_t)256)
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

/* A free is about to end a maximum of `live` bytes, unless another thread saw a larger one. */
static void advance_peak(uint64_t live) {
    struct ht_totals *totals = &image_header->totals;
    uint64_t max = __atomic_load_n(&totals->peak_bytes, __ATOMIC_RELAXED);
    do {
        if (live <= max)
            return;
    } while (!__atomic_compare_exchange_n(&totals->peak_bytes, &max, live, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    /* release: partner of the acquire load in note_peak; cells change only after it */
    __atomic_fetch_add(&totals->peak_sequence, 1, __ATOMIC_RELEASE);
    set_quantum(live);
}

/* Adds what this thread holds back to the live bytes; returns these as they were before. */
static uint64_t flush(struct ht_slot *slot) {
    uint64_t held = (uint64_t)slot->unflushed_bytes, *live = &image_header->totals.live_bytes;
    uint64_t before;
    if (__libc_single_threaded) { /* false before a second thread starts, so no store is lost */
        before = __atomic_load_n(live, __ATOMIC_RELAXED);
        __atomic_store_n(live, before + held, __ATOMIC_RELAXED);
    } else {
        before = __atomic_fetch_add(live, held, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&slot->unflushed_bytes, 0, __ATOMIC_RELAXED);
    return before;
}

static int64_t hold(struct ht_slot *slot, int64_t bytes) {
    int64_t held = slot->unflushed_bytes + bytes;
    __atomic_store_n(&slot->unflushed_bytes, held, __ATOMIC_RELAXED);
    return held;
}

static int64_t quantum(void) {
    return (int64_t)__atomic_load_n(&image_header->totals.quantum_bytes, __ATOMIC_RELAXED);
}

static void grow(struct ht_slot *slot, uint64_t bytes) {
    if (hold(slot, (int64_t)bytes) > quantum())
        flush(slot);
}

static void shrink(struct ht_slot *slot, uint64_t bytes) {
    if (hold(slot, -(int64_t)bytes) < -quantum())
        advance_peak(flush(slot));
}

/* ---- cells ---- */

/* An owner that ended in the middle of an update (a cancelled thread, a fork in a handler on top of it) left
 * an odd sequence: whoever writes next sets it right. */
static void open_cell(struct ht_cell *cell) {
    __atomic_store_n(&cell->write_sequence, (cell->write_sequence + 1) | 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE); /* partner: the reader's acquire fence */
}

static void close_cell(struct ht_cell *cell) {
    __atomic_store_n(&cell->write_sequence, (cell->write_sequence | 1) + 1, __ATOMIC_RELEASE);
}

static void bump(uint64_t *counter, uint64_t by) {
    __atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

static void note_peak(struct ht_cell *cell) {
    uint32_t sequence = (uint32_t)__atomic_load_n(&image_header->totals.peak_sequence, __ATOMIC_ACQUIRE);
    if (cell->peak_sequence == sequence)
        return;
    int64_t bytes = (int64_t)(cell->allocated_bytes - cell->freed_bytes);
    int64_t blocks = (int64_t)(cell->allocations - cell->frees);
    __atomic_store_n(&cell->peak_bytes, bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&cell->peak_blocks, blocks, __ATOMIC_RELAXED);
    __atomic_store_n(&cell->peak_sequence, sequence, __ATOMIC_RELAXED);
}

void counters_allocated(struct thread *self, uint32_t id, uint64_t size_bytes) {
    struct ht_cell *cell = &image_cells[id];
    grow(&image_slots[self->slot], size_bytes);
    open_cell(cell);
    note_peak(cell);
    bump(&cell->allocations, 1);
    bump(&cell->allocated_bytes, size_bytes);
    close_cell(cell);
}

void counters_freed(struct thread *self, uint32_t id, uint64_t size_bytes) {
    struct ht_cell *cell = &image_cells[id];
    if (cell->slot != self->slot)
        cell = &image_cells[cells_find(self, cell->stack)];
    shrink(&image_slots[self->slot], size_bytes);
    open_cell(cell);
    note_peak(cell);
    bump(&cell->frees, 1);
    bump(&cell->freed_bytes, size_bytes);
    close_cell(cell);
}

/* ---- after a fork: one thread, so plain stores ---- */

static uint64_t cell_bound(void) {
    return image_header->regions[HT_REGION_CELLS].used_records;
}

void counters_reset(void) {
    for (uint64_t i = 1; i < cell_bound(); i++)
        image_cells[i] = (struct ht_cell){.stack = image_cells[i].stack, .slot = image_cells[i].slot};
    image_header->totals =
        (struct ht_totals){.peak_sequence = 1, .slots_in_use = image_header->totals.slots_in_use};
    image_header->inherited_blocks = 0;
    image_header->inherited_bytes = 0;
}

void counters_inherit(uint32_t cell, uint64_t size_bytes) {
    image_cells[cell].allocations++;
    image_cells[cell].allocated_bytes += size_bytes;
    image_header->inherited_blocks++;
    image_header->inherited_bytes += size_bytes;
}

void counters_settle(void) {
    image_header->totals.live_bytes = image_header->inherited_bytes;
}
