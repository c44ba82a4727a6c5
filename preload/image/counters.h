/* counters.h - what a stack allocated and freed, in this thread's cell; live bytes; the peak.
 *
 * The peak, by stack, without a log. max is the largest number of live bytes seen, and has a sequence
 * number. Only a free can end a maximum: when the live bytes before it exceed max, max becomes that and the
 * sequence advances. Each cell, before it changes, notes its live values under the current sequence if it
 * has not yet. So a cell whose sequence is current holds its share of the maximum, and one whose is not
 * has not changed since, and its live values are its share.
 *
 * One thread: every event is added to the global live bytes at once, and the peak is exact. More: a thread
 * holds back up to a quantum Q = clamp(max / (4096 T), 1024, 65536) bytes, and the cells' peak values are
 * those of a true instant give or take one event a thread, within 2 T Q of the true maximum.
 *
 * Threads: each its own cells.  Signals: no (guarded by the caller).  Heap: never. */
#ifndef HEAPTALLY_COUNTERS_H
#define HEAPTALLY_COUNTERS_H

#include "cells.h"
#include "details.h"
#include "image.h"
#include "sample.h"
#include "thread.h"

#include <stdint.h>
#include <sys/single_threaded.h>

/* Counts an allocation in `cell`, one of the thread's own. */
static inline void counters_allocated(struct thread *self, uint32_t cell, uint64_t size_bytes);

/* Counts a free of a block whose allocation is counted in `cell`, whoever's that is. True: so much less is
 * live than was that it is time to sweep (counters_swept). */
static inline bool counters_freed(struct thread *self, uint32_t cell, uint64_t size_bytes);

/* A sweep was made; complete: of everything. Says when the next is due. */
void counters_swept(bool complete);

/* Counts what a traced block stands for, in `cell` or this thread's cell of the same stack. */
void counters_sampled(struct thread *self, uint32_t cell, struct weight weight, bool freed);

/* Counts an event of a block, exactly or as what it stands for. */
void counters_event(struct thread *self, uint32_t cell, uint64_t size_bytes, bool freed);

/* Live bytes and their maximum, of all domains: exact where no other thread allocates meanwhile, else within
 * what threads hold back. */
uint64_t counters_live(void);
uint64_t counters_peak(void);

/* The maximum is now, of the whole and of each stack. */
void counters_reset_peak(void);

/* Nothing is live, after cells_retire. An event of another thread at that very moment may count on one side
 * and its block's free on the other: live bytes are then off by that block. */
void counters_clear(void);

/* Counts an event of a block that is never sampled. */
void counters_exactly(struct thread *self, uint32_t cell, uint64_t size_bytes, bool freed);

/* The same under HEAPTALLY_DETAILS, with what the event says beside. True: it is time to sweep. */
bool counters_detailed(struct thread *self, uint32_t cell, uint64_t size_bytes, bool freed,
                       const struct happening *happening);

/* Counts a change of a mapping: so many blocks (perhaps none) and bytes, exactly, also where blocks are
 * sampled. */
void counters_mapping(struct thread *self, uint32_t cell, uint32_t blocks, uint64_t size_bytes, bool freed);

/* One more slot is in use. */
void counters_thread_joined(void);

/* In a forked child, after image_adopt: all cells start from 0 ... */
void counters_reset(void);
/* ... then each inherited block is entered (sampled: where blocks are, it is one), ... */
void counters_inherit(uint32_t cell, uint64_t size_bytes, bool sampled);
/* ... under HEAPTALLY_DETAILS with its birth, ... */
void counters_inherit_birth(uint32_t cell, uint64_t size_bytes, const struct birth *birth);
/* ... and the totals follow. */
void counters_settle(void);

/* ---- inline, since it is done for every event ----
 *
 * Memory orders: a cell has one writer and racing readers. The writer makes write_sequence odd, changes the
 * cell, makes it even with release; a reader loads it with acquire before and, after an acquire fence, again.
 * All other fields are relaxed: they are only trusted between two equal even sequences. */

/* What counters_hold would not do. Rare, and not to make a frame for all events. */
__attribute__((noinline)) void counters_grow_shared(struct thread *self, uint64_t bytes);
__attribute__((noinline)) bool counters_shrink_shared(struct thread *self, uint64_t bytes);
bool counters_beyond(uint64_t live, uint64_t bytes);
bool counters_freed_elsewhere(struct thread *self, uint32_t cell, uint64_t size_bytes);

/* Whether this is the only thread. False before a second one starts: no store to the sums is lost. */
static inline bool counters_alone(void) {
    return __builtin_expect(__libc_single_threaded, 1);
}

/* Beside other threads: adds to what this one holds back, unless that becomes more than it may; then nothing
 * is done. Both bounds at once. */
static inline bool counters_hold(const struct thread *self, const struct ht_totals *totals, int64_t bytes) {
    int64_t *held = &image_slots[self->slot].unflushed_bytes, now = *held + bytes;
    uint64_t quantum = __atomic_load_n(&totals->quantum_bytes, __ATOMIC_RELAXED);
    if (__builtin_expect((uint64_t)now + quantum > 2 * quantum, 0))
        return false;
    __atomic_store_n(held, now, __ATOMIC_RELAXED);
    return true;
}

static inline void counters_grow_alone(struct ht_totals *totals, uint64_t bytes) {
    uint64_t *live = &totals->live_bytes;
    __atomic_store_n(live, __atomic_load_n(live, __ATOMIC_RELAXED) + bytes, __ATOMIC_RELAXED);
}

static inline void counters_grow(struct thread *self, uint64_t bytes) {
    if (counters_alone())
        counters_grow_alone(&image_header->totals, bytes);
    else if (!counters_hold(self, &image_header->totals, (int64_t)bytes))
        counters_grow_shared(self, bytes);
}

/* Whether live bytes are at a new maximum, or so few that it is time to sweep. One comparison for both, and
 * for a sum that is below 0: frees of what other threads hold back yet. */
static inline bool counters_is_beyond(const struct ht_totals *totals, uint64_t live) {
    return __builtin_expect(live - __atomic_load_n(&totals->sweep_below, __ATOMIC_RELAXED) >
                                __atomic_load_n(&totals->quiet_bytes, __ATOMIC_RELAXED),
                            0);
}

static inline bool counters_shrink(struct thread *self, uint64_t bytes) {
    struct ht_totals *totals = &image_header->totals;
    if (!counters_alone())
        return !counters_hold(self, totals, -(int64_t)bytes) && counters_shrink_shared(self, bytes);
    uint64_t before = __atomic_load_n(&totals->live_bytes, __ATOMIC_RELAXED);
    bool sweep = counters_is_beyond(totals, before) && counters_beyond(before, bytes);
    __atomic_store_n(&totals->live_bytes, before - bytes, __ATOMIC_RELAXED);
    return sweep;
}

/* An owner that ended in the middle of an update (a cancelled thread, a fork in a handler on top of it) left
 * an odd sequence: whoever writes next sets it right. */
static inline uint32_t counters_open(struct ht_cell *cell) {
    uint32_t odd = (cell->write_sequence + 1) | 1;
    __atomic_store_n(&cell->write_sequence, odd, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE); /* partner: the reader's acquire fence */
    return odd;
}

static inline void counters_close(struct ht_cell *cell, uint32_t odd) {
    __atomic_store_n(&cell->write_sequence, odd + 1, __ATOMIC_RELEASE);
}

static inline void counters_bump(uint64_t *counter, uint64_t by) {
    __atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

/* The cell's share of the maximum that is being counted, before its first change since. */
static inline void counters_note_peak(struct ht_cell *cell, const struct ht_totals *totals) {
    /* acquire: partner of the release in counters_advance_peak; cells change only after it */
    uint32_t sequence = (uint32_t)__atomic_load_n(&totals->peak_sequence, __ATOMIC_ACQUIRE);
    if (__builtin_expect(cell->peak_sequence == sequence, 1))
        return;
    int64_t bytes = (int64_t)(cell->allocated_bytes - cell->freed_bytes);
    int64_t blocks = (int64_t)(cell->allocations - cell->frees);
    __atomic_store_n(&cell->peak_bytes, bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&cell->peak_blocks, blocks, __ATOMIC_RELAXED);
    __atomic_store_n(&cell->peak_sequence, sequence, __ATOMIC_RELAXED);
}

static inline void counters_allocated_in(struct ht_cell *cell, const struct ht_totals *totals,
                                         uint64_t size_bytes) {
    uint32_t odd = counters_open(cell);
    counters_note_peak(cell, totals);
    counters_bump(&cell->allocations, 1);
    counters_bump(&cell->allocated_bytes, size_bytes);
    counters_close(cell, odd);
}

static inline void counters_allocated(struct thread *self, uint32_t id, uint64_t size_bytes) {
    counters_grow(self, size_bytes);
    counters_allocated_in(&image_cells[id], &image_header->totals, size_bytes);
}

/* As counters_allocated for most allocations, without a call. False: there is more to be done, and nothing
 * was counted. */
static inline __attribute__((always_inline)) bool counters_allocated_soon(const struct thread *self,
                                                                          uint32_t id, uint64_t size_bytes) {
    struct ht_totals *totals = &image_header->totals;
    if (counters_alone())
        counters_grow_alone(totals, size_bytes);
    else if (!counters_hold(self, totals, (int64_t)size_bytes))
        return false;
    counters_allocated_in(&image_cells[id], totals, size_bytes);
    return true;
}

static inline void counters_freed_in(struct ht_cell *cell, const struct ht_totals *totals,
                                     uint64_t size_bytes) {
    uint32_t odd = counters_open(cell);
    counters_note_peak(cell, totals);
    counters_bump(&cell->frees, 1);
    counters_bump(&cell->freed_bytes, size_bytes);
    counters_close(cell, odd);
}

static inline bool counters_freed(struct thread *self, uint32_t id, uint64_t size_bytes) {
    if (__builtin_expect(!cells_is_own(self, id), 0))
        return counters_freed_elsewhere(self, id, size_bytes);
    bool sweep = counters_shrink(self, size_bytes);
    counters_freed_in(&image_cells[id], &image_header->totals, size_bytes);
    return sweep;
}

/* As counters_freed for most frees, without a call: of a cell that is known, when there is nothing to be done
 * about the live bytes. False: not counted, but *id is this thread's cell if that is known. */
static inline __attribute__((always_inline)) bool counters_freed_soon(const struct thread *self, uint32_t *id,
                                                                      uint64_t size_bytes) {
    struct ht_totals *totals = &image_header->totals;
    if (__builtin_expect(!cells_make_own(self, id), 0))
        return false;
    if (counters_alone()) {
        uint64_t before = __atomic_load_n(&totals->live_bytes, __ATOMIC_RELAXED);
        if (counters_is_beyond(totals, before))
            return false;
        __atomic_store_n(&totals->live_bytes, before - size_bytes, __ATOMIC_RELAXED);
    } else if (!counters_hold(self, totals, -(int64_t)size_bytes)) {
        return false;
    }
    counters_freed_in(&image_cells[*id], totals, size_bytes);
    return true;
}

#endif
