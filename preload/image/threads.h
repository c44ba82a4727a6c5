/* threads.h - thread slots: who may write which cells.
 *
 * A slot belongs to one living thread at a time. It needs no destructor: a new thread looks at a few slots
 * and inherits one whose thread is gone, with its cells and their sums.
 *
 * Owns:    the SLOTS region and the private state of each slot.
 * Holds:   the cells, the slot record and the `struct thread` of a slot are written by its owner alone.
 * Threads: any, lock-free.  Signals: threads_claim no, the rest as their callers.  Heap: never. */
#ifndef HEAPTALLY_THREADS_H
#define HEAPTALLY_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "thread.h"

/* Finds or makes a slot for the calling thread. Null when there is no room: its events are lost. */
struct thread *threads_claim(void);

/* How many blocks a slot has allocated; of HEAPTALLY_DETAILS. */
uint64_t threads_allocations(uint32_t slot);

/* In a forked child, after image_adopt: the caller keeps `self` (may be null) under its new tid, all other
 * slots are free to be inherited. */
void threads_after_fork(struct thread *self);

#endif
