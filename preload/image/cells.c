/* cells.c - see cells.h.
 * Owns:    CELLS, each thread's index of its own.
 * Threads: each its own.  Signals: no.  Heap: never. */
#include "cells.h"

#include "../platform/arena.h"
#include "../platform/options.h"
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

uint32_t cells_new(struct thread *self, uint32_t stack) {
    uint64_t id = image_take(HT_REGION_CELLS, 1);
    if (id == 0 || (options.sample_bytes != 0 && !image_cover(HT_REGION_SAMPLES, id)))
        return 0;
    struct ht_cell *cell = &image_cells[id];
    cell->slot = self->slot;
    cell->peak_sequence = (uint32_t)__atomic_load_n(&image_header->totals.peak_sequence, __ATOMIC_RELAXED);
    __atomic_store_n(&cell->stack, stack, __ATOMIC_RELEASE); /* partner: readers' acquire */
    return (uint32_t)id;
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
        *entry = cells_new(self, stack);
    return *entry != 0 ? *entry : self->overflow_cell;
}
