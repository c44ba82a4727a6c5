/* cells.h - which cell counts a thread's events of a stack: a private index, stack id -> cell id.
 *
 * Owns:    the CELLS region.   Holds: a cell is written by the owner of its slot alone.
 * Threads: each its own.  Signals: no.  Heap: never. */
#ifndef HEAPTALLY_CELLS_H
#define HEAPTALLY_CELLS_H

#include "thread.h"

/* Prepares the empty index of a new thread state. False: no memory. */
bool cells_open(struct thread *self);

/* A new cell of this thread for a stack, which is not entered in the index; 0 when there is no room. */
uint32_t cells_new(struct thread *self, uint32_t stack);

/* The cell of this thread for a stack, made on first use; its overflow cell when there is no room. */
uint32_t cells_find(struct thread *self, uint32_t stack);

#endif
