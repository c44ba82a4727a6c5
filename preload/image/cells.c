/* cells.c - see cells.h.
 * Owns:    CELLS, each thread's index of its own.
 * Threads: each its own.  Signals: no.  Heap: never. */
#include "cells.h"

#include "../platform/arena.h"
#include "../platform/options.h"
#include "../blocks.h"
#include "image.h"

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

uint16_t cells_owners[CELLS_MAX >> CELLS_CHUNK_BITS]; /* (atomic) */

/* The next cells of the region, as many as a chunk has, beginning at a multiple of that. 0: no room. */
static uint64_t take_chunk(void) {
    uint64_t first = image_take(HT_REGION_CELLS, CHUNK);
    while (first % CHUNK != 0) {
        if (image_take(HT_REGION_CELLS, CHUNK - first % CHUNK) == 0)
            return 0;
        first = image_take(HT_REGION_CELLS, CHUNK);
    }
    return first < CELLS_MAX ? first : 0;
}

static uint32_t new_cell(struct thread *self, uint32_t stack) {
    if (self->next_cell % CHUNK == 0) {
        uint64_t first = take_chunk();
        if (first == 0 || (options.sample_bytes != 0 && !image_cover(HT_REGION_SAMPLES, first + CHUNK - 1)))
            return 0;
        __atomic_store_n(&cells_owners[first >> CELLS_CHUNK_BITS], (uint16_t)self->slot, __ATOMIC_RELAXED);
        self->next_cell = (uint32_t)first;
    }
    uint32_t id = self->next_cell++;
    struct ht_cell *cell = &image_cells[id];
    cell->slot = self->slot;
    cell->peak_sequence = (uint32_t)__atomic_load_n(&image_header->totals.peak_sequence, __ATOMIC_RELAXED);
    __atomic_store_n(&cell->stack, stack, __ATOMIC_RELEASE); /* partner: readers' acquire */
    return id;
}

static uint32_t *cell_entry(struct thread *self, uint32_t stack) {
    uint32_t **chunk = &self->cells[stack >> CHUNK_BITS];
    if (*chunk == NULL)
        *chunk = arena_take(CHUNK_CELLS * sizeof **chunk);
    return *chunk != NULL ? &(*chunk)[stack & (CHUNK_CELLS - 1)] : NULL;
}

uint32_t cells_find(struct thread *self, uint32_t stack) {
    uint32_t *entry = cell_entry(self, stack);
    if (entry == NULL)
        return self->overflow_cell;
    if (*entry == 0)
        *entry = new_cell(self, stack);
    return *entry != 0 ? *entry : self->overflow_cell;
}

uint32_t cells_of_same_stack(struct thread *self, uint32_t cell) {
    struct foreign *known = &self->foreign[cell % FOREIGN_CELLS];
    if (known->cell != cell) {
        uint32_t own = cells_find(self, image_cells[cell].stack);
        if (own == self->overflow_cell)
            return own;
        *known = (struct foreign){cell, own};
    }
    return known->own;
}
