/* cells.h - which cell counts a thread's events of a stack: a private index, stack id -> cell id.
 *
 * Cells are handed out to slots in chunks, and whose a chunk is stands in a table that is hardly ever
 * written. So a thread that frees another's block need not look at the cell, whose line its owner writes all
 * the time.
 *
 * Owns:    the CELLS region.   Holds: a cell is written by the owner of its slot alone.
 * Threads: each its own.  Signals: no.  Heap: never. */
#ifndef HEAPTALLY_CELLS_H
#define HEAPTALLY_CELLS_H

#include "thread.h"

/* Prepares the empty index of a new thread state. False: no memory. */
bool cells_open(struct thread *self);

/* The cell of this thread for a stack, made on first use; its overflow cell when there is no room. */
uint32_t cells_find(struct thread *self, uint32_t stack);

/* The cell of this thread for the stack of another thread's cell; its overflow cell when there is no room. */
uint32_t cells_of_same_stack(struct thread *self, uint32_t cell);

#define CELLS_CHUNK_BITS 4u

/* -- for cells_is_own: the slot that a chunk was given to -- */
extern uint16_t cells_owners[];

/* Whether a cell is of this thread's slot. */
static inline bool cells_is_own(const struct thread *self, uint32_t cell) {
    /* relaxed: who has the cell from a block got the block after its cell was made */
    return __atomic_load_n(&cells_owners[cell >> CELLS_CHUNK_BITS], __ATOMIC_RELAXED) == self->slot;
}

#endif
