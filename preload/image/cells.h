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

#include "image.h"
#include "thread.h"

#include <stdbool.h>

/* Prepares the empty index of a new thread state. False: no memory. */
bool cells_open(struct thread *self);

/* The cell of this thread for a stack without a context, made on first use; its overflow cell when there is
 * no room. */
uint32_t cells_find(struct thread *self, uint32_t stack);

/* The cell of this thread for the stack of `cell`, another one of its own, in a context. */
uint32_t cells_in_context(struct thread *self, uint32_t cell, uint32_t context);

/* The cell of this thread for mappings without a stack; where none are counted, its unattributed cell. */
uint32_t cells_of_unattributed_mappings(struct thread *self);

/* The cell of this thread for the stack of another thread's cell; its overflow cell when there is no room. */
uint32_t cells_of_same_stack(struct thread *self, uint32_t cell);

/* The context of a cell's stack. */
uint32_t cells_context(uint32_t cell);

/* Traces are cleared: cells that are there now count no more, for anybody (their stack becomes 0), and each
 * thread takes new ones. Cells are used up by that: chunks whose blocks are all gone serve again after a
 * later call. One caller at a time. */
void cells_retire(void);

/* The stack of a cell; 0 if traces were cleared since it was made: events of its blocks do not count. Another
 * thread may clear at any moment. */
static inline uint32_t cells_stack(uint32_t cell) {
    return __atomic_load_n(&image_cells[cell].stack,
                           __ATOMIC_RELAXED); /* who has the cell got it published */
}

static inline bool cells_is_retired(uint32_t cell) {
    return cells_stack(cell) == HT_STACK_NONE;
}

/* Before a thread looks for the cell of a stack, or for what it remembers of one. */
extern uint32_t cells_epoch; /* (atomic) how often cells were retired */
void cells_renew(struct thread *self);
static inline bool cells_is_current(const struct thread *self) {
    /* acquire: partner of cells_retire, which ends the chunks that may be handed out to this epoch */
    return __builtin_expect(self->epoch == __atomic_load_n(&cells_epoch, __ATOMIC_ACQUIRE), 1);
}

static inline void cells_follow(struct thread *self) {
    if (!cells_is_current(self))
        cells_renew(self);
}

#define CELLS_CHUNK_BITS 4u
#define CELLS_RETIRED    0xffffu /* no slot's */
#define CELLS_FREE       0xfffdu /* retired, to be given out again; the least that is no slot's */
#define CELLS_CONTEXTS   0xfffeu /* cells of stacks with a context: their slot is in the cell */

/* -- for what follows: the slot that a chunk was given to, or CELLS_* -- */
extern uint16_t cells_owners[];

static inline uint16_t cells_owner(uint32_t cell) {
    /* relaxed: who has the cell from a block got the block after its cell was made */
    return __atomic_load_n(&cells_owners[cell >> CELLS_CHUNK_BITS], __ATOMIC_RELAXED);
}

/* Whether a cell is of this thread's slot, and of a stack without a context. */
static inline bool cells_is_own(const struct thread *self, uint32_t cell) {
    return cells_owner(cell) == self->slot;
}

/* Turns a cell into this thread's for the same stack, where that has no context and is known at once. False:
 * it does not, see cells_of_same_stack. */
static inline bool cells_make_own(const struct thread *self, uint32_t *cell) {
    uint16_t owner = cells_owner(*cell);
    if (__builtin_expect(owner == self->slot, 1))
        return true;
    const struct foreign *known = &self->foreign[*cell % FOREIGN_CELLS];
    if (__builtin_expect(known->cell != *cell || owner >= CELLS_FREE || !cells_is_current(self), 0))
        return false;
    *cell = known->own;
    return true;
}

/* Whether a cell is of a stack with a context; whose it is, the cell knows. */
static inline bool cells_has_context(uint32_t cell) {
    return cells_owner(cell) == CELLS_CONTEXTS;
}

/* As cells_is_retired, a moment earlier, and without a look at the cell. */
static inline bool cells_is_of_retired(uint32_t cell) {
    return cells_owner(cell) == CELLS_RETIRED;
}

#endif
