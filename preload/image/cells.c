/* cells.c - see cells.h.
 * Owns:    CELLS, each thread's index of its own.
 * Threads: each its own.  Signals: no.  Heap: never. */
#include "cells.h"

#include "../platform/arena.h"
#include "../platform/options.h"
#include "../platform/sys.h"
#include "../blocks.h"
#include "../mappings.h"
#include "../tracked.h"
#include "contexts.h"
#include "details.h"
#include "image.h"
#include "stacks.h"

#include <string.h>
#include <time.h>

#define CHUNK_BITS  10u
#define CHUNK_CELLS (1u << CHUNK_BITS)

static uint64_t chunk_count(void) {
    const struct ht_region *stacks = &image_header->regions[HT_REGION_STACKS];
    return (stacks->capacity_bytes / stacks->record_bytes >> CHUNK_BITS) + 1;
}

bool cells_open(struct thread *self) {
    self->cells = arena_map(chunk_count() * sizeof *self->cells);
    return self->cells != NULL;
}

#define CHUNK     (1u << CELLS_CHUNK_BITS)
#define CELLS_MAX (1u << BLOCKS_CELL_BITS)

#define CHUNKS    (CELLS_MAX >> CELLS_CHUNK_BITS)

uint16_t cells_owners[CHUNKS]; /* (atomic) */

static uint32_t free_chunks; /* (atomic) CELLS_FREE, to be given out again */

/* A chunk that had been retired. 0: none. */
static uint64_t take_free_chunk(uint16_t owner) {
    static uint32_t next; /* (atomic) where the search goes on */
    for (uint32_t i = 0; i < CHUNKS && __atomic_load_n(&free_chunks, __ATOMIC_RELAXED) != 0; i++) {
        uint32_t at = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % CHUNKS;
        uint16_t is_free = CELLS_FREE;
        /* acquire: partner of the release in make_free, whose cells are all 0 */
        if (__atomic_compare_exchange_n(&cells_owners[at], &is_free, owner, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            __atomic_fetch_sub(&free_chunks, 1, __ATOMIC_RELAXED);
            return (uint64_t)at << CELLS_CHUNK_BITS;
        }
    }
    return 0;
}

/* The next cells of the region, as many as a chunk has, beginning at a multiple of that. 0: no room. */
static uint64_t take_fresh_chunk(void) {
    uint64_t first = image_take(HT_REGION_CELLS, CHUNK);
    while (first % CHUNK != 0) {
        if (image_take(HT_REGION_CELLS, CHUNK - first % CHUNK) == 0)
            return 0;
        first = image_take(HT_REGION_CELLS, CHUNK);
    }
    return first < CELLS_MAX ? first : 0;
}

static bool next_chunk(uint32_t *next, uint16_t owner) {
    uint64_t first = take_free_chunk(owner);
    if (first == 0)
        first = take_fresh_chunk();
    if (first == 0 || (options.sample_bytes != 0 && !image_cover(HT_REGION_SAMPLES, first + CHUNK - 1)))
        return false;
    __atomic_store_n(&cells_owners[first >> CELLS_CHUNK_BITS], owner, __ATOMIC_RELAXED);
    *next = (uint32_t)first;
    return true;
}

static uint32_t new_cell(struct thread *self, uint32_t stack, bool context) {
    uint32_t *next = context ? &self->next_context_cell : &self->next_cell;
    if (*next % CHUNK == 0 && !next_chunk(next, context ? CELLS_CONTEXTS : (uint16_t)self->slot))
        return 0;
    uint32_t id = (*next)++;
    struct ht_cell *cell = &image_cells[id];
    uint32_t sequence = (uint32_t)__atomic_load_n(&image_header->totals.peak_sequence, __ATOMIC_RELAXED);
    __atomic_store_n(&cell->slot, self->slot, __ATOMIC_RELAXED); /* readers go by `stack` */
    __atomic_store_n(&cell->peak_sequence, sequence, __ATOMIC_RELAXED);
    __atomic_store_n(&cell->stack, stack, __ATOMIC_RELEASE); /* partner: readers' acquire */
    return id;
}

static uint32_t *cell_entry(struct thread *self, uint32_t stack) {
    uint32_t **chunk = &self->cells[stack >> CHUNK_BITS];
    if (*chunk == NULL)
        *chunk = arena_take(CHUNK_CELLS * sizeof **chunk);
    return *chunk != NULL ? &(*chunk)[stack & (CHUNK_CELLS - 1)] : NULL;
}

static uint32_t find(struct thread *self, uint32_t stack, bool context) {
    uint32_t *entry = cell_entry(self, stack);
    if (entry == NULL)
        return self->overflow_cell;
    if (*entry == 0)
        *entry = new_cell(self, stack, context);
    return *entry != 0 ? *entry : self->overflow_cell;
}

uint32_t cells_find(struct thread *self, uint32_t stack) {
    return find(self, stack, false);
}

uint32_t cells_context(uint32_t cell) {
    return cells_has_context(cell) ? image_stacks[cells_stack(cell)].context : 0;
}

uint32_t cells_in_context(struct thread *self, uint32_t cell, uint32_t context) {
    if (self->contexts == NULL)
        self->contexts = arena_take(CONTEXT_CELLS * sizeof *self->contexts);
    uint32_t stack = cells_stack(cell);
    if (self->contexts == NULL || stack < HT_STACK_FIRST) {
        image_lose(HT_LOSS_CONTEXTS, 1);
        return cell;
    }
    struct context_cell *known = &self->contexts[(cell * 31 + context) % CONTEXT_CELLS];
    if (known->cell != cell || known->context != context) {
        uint32_t twin = stacks_in_context(stack, context);
        uint32_t own = twin != HT_STACK_OVERFLOW ? find(self, twin, true) : self->overflow_cell;
        if (own == self->overflow_cell)
            return own;
        *known = (struct context_cell){cell, context, own};
    }
    return known->own;
}

uint32_t cells_of_unattributed_mappings(struct thread *self) {
    uint32_t context = options.mappings ? contexts_with_domain(0, HT_DOMAIN_MMAP) : CONTEXTS_FULL;
    if (context == CONTEXTS_FULL)
        return self->unattributed_cell;
    uint32_t twin = stacks_in_context(HT_STACK_UNATTRIBUTED, context);
    return twin != HT_STACK_OVERFLOW ? find(self, twin, true) : self->overflow_cell;
}

uint32_t cells_of_same_stack(struct thread *self, uint32_t cell) {
    cells_follow(self);
    struct foreign *known = &self->foreign[cell % FOREIGN_CELLS];
    if (known->cell != cell) {
        uint32_t own = find(self, cells_stack(cell), cells_context(cell) != 0);
        if (own == self->overflow_cell)
            return own;
        known->cell = 0; /* a handler on top of this may never come back here */
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        known->own = own;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        known->cell = cell;
    }
    return known->own;
}

/* ---- clearing ---- */

uint32_t cells_epoch;

void cells_renew(struct thread *self) {
    self->epoch = __atomic_load_n(&cells_epoch, __ATOMIC_ACQUIRE);
    for (uint64_t i = 0; i < chunk_count(); i++)
        if (self->cells[i] != NULL)
            memset(self->cells[i], 0, CHUNK_CELLS * sizeof **self->cells);
    for (int64_t i = -1; i < (int64_t)self->stack.count; i++)
        self->stack.frames[i].cell = 0;
    memset(self->recents, 0, sizeof *self->recents << RECENT_BITS);
    memset(self->foreign, 0, sizeof self->foreign);
    if (self->contexts != NULL)
        memset(self->contexts, 0, CONTEXT_CELLS * sizeof *self->contexts);
    self->next_cell = self->next_context_cell = 0;
    uint32_t overflow = cells_find(self, HT_STACK_OVERFLOW);
    if (overflow !=
        self->overflow_cell) { /* else there is no room: what follows stays in retired cells, and is lost */
        self->overflow_cell = overflow;
        self->unattributed_cell = cells_find(self, HT_STACK_UNATTRIBUTED);
        self->unattributed_mapping = cells_of_unattributed_mappings(self);
    }
}

/* ---- chunks that serve again ----
 *
 * A retired chunk may serve again once no block names a cell of it, and no thread is about to count an event
 * of such a block. The first is looked up. The second is taken for granted a second after the chunk was
 * retired: a thread that was put to sleep for that long in the few instructions between would count one event
 * in a cell that is another stack's by then. */
#define GRACE_SECONDS 2u
#define SEARCH_FROM   4096u /* chunks: 4 MiB */

static uint16_t retired_at[CHUNKS]; /* by chunk: seconds, the low 16 bits */
static uint32_t retired_chunks, search_at = SEARCH_FROM;
static uint8_t named[CHUNKS / 8]; /* bits: chunks of which blocks were found */

static void name_chunk(uintptr_t address, struct block block) {
    (void)address;
    uint32_t chunk = (block.cell & (CELLS_MAX - 1)) >> CELLS_CHUNK_BITS;
    named[chunk / 8] |= (uint8_t)(1u << chunk % 8);
}

static void name_chunk_of_mapping(uint32_t cell, uint64_t size_bytes) {
    name_chunk(0, (struct block){size_bytes, cell});
}

static void make_free(uint32_t chunk) {
    uint64_t first = (uint64_t)chunk << CELLS_CHUNK_BITS;
    memset(&image_cells[first], 0, CHUNK * sizeof *image_cells);
    if (options.sample_bytes != 0)
        memset(&image_samples[first], 0, CHUNK * sizeof *image_samples);
    if (options.details)
        details_clear(first, CHUNK);
    __atomic_store_n(&cells_owners[chunk], CELLS_FREE, __ATOMIC_RELEASE); /* partner: take_free_chunk */
    __atomic_fetch_add(&free_chunks, 1, __ATOMIC_RELAXED);
    retired_chunks--;
}

static void free_chunks_of_nobody(uint64_t bound, uint16_t now) {
    memset(named, 0, sizeof named);
    if (!blocks_each_now(name_chunk))
        return;
    tracked_each(name_chunk);
    if (!mappings_each(name_chunk_of_mapping))
        return;
    for (uint32_t chunk = 1; chunk < bound >> CELLS_CHUNK_BITS; chunk++)
        if (__atomic_load_n(&cells_owners[chunk], __ATOMIC_RELAXED) == CELLS_RETIRED &&
            (uint16_t)(now - retired_at[chunk]) > GRACE_SECONDS && (named[chunk / 8] & 1u << chunk % 8) == 0)
            make_free(chunk);
    search_at = retired_chunks < SEARCH_FROM / 2 ? SEARCH_FROM : 2 * retired_chunks;
}

static void retire(uint32_t chunk, uint16_t now) {
    uint16_t owner = __atomic_load_n(&cells_owners[chunk], __ATOMIC_RELAXED);
    if (owner == CELLS_RETIRED || owner == CELLS_FREE)
        return;
    retired_at[chunk] = now;
    retired_chunks++;
    __atomic_store_n(&cells_owners[chunk], CELLS_RETIRED, __ATOMIC_RELAXED);
    for (uint32_t i = chunk << CELLS_CHUNK_BITS; i < (chunk + 1) << CELLS_CHUNK_BITS; i++)
        __atomic_store_n(&image_cells[i].stack, HT_STACK_NONE, __ATOMIC_RELAXED);
}

/* Which chunks are retired is settled before the epoch advances: those that are handed out later are of the
 * next, and remembered. */
void cells_retire(void) {
    static uint8_t before[CHUNKS / 8];
    uint64_t bound = __atomic_load_n(&image_header->regions[HT_REGION_CELLS].used_records, __ATOMIC_RELAXED);
    uint16_t now = (uint16_t)(sys_clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000000u);
    bound = bound < CELLS_MAX ? bound : CELLS_MAX;
    for (uint32_t chunk = 1; chunk < bound >> CELLS_CHUNK_BITS; chunk++) {
        bool is_free = __atomic_load_n(&cells_owners[chunk], __ATOMIC_RELAXED) == CELLS_FREE;
        before[chunk / 8] =
            (uint8_t)((before[chunk / 8] & ~(1u << chunk % 8)) | (unsigned)!is_free << chunk % 8);
    }
    __atomic_fetch_add(&cells_epoch, 1, __ATOMIC_ACQ_REL); /* partner: cells_follow */
    for (uint32_t chunk = 1; chunk < bound >> CELLS_CHUNK_BITS; chunk++)
        if ((before[chunk / 8] & 1u << chunk % 8) != 0)
            retire(chunk, now);
    if (retired_chunks >= search_at)
        free_chunks_of_nobody(bound, now);
}
