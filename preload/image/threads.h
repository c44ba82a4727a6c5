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

#include "../unwind/unwind.h"
#include "trace.h"

/* An event that interrupted the tracer, to be counted once it is done. */
struct deferred {
    uint32_t cell;
    bool freed;
    uint64_t size_bytes;
};

#define DEFERRED_MAX 64

struct thread {
    uint32_t slot;
    uint32_t overflow_cell;     /* of HT_STACK_OVERFLOW: taken at the start, so that it is there in need */
    uint32_t unattributed_cell; /* of HT_STACK_UNATTRIBUTED */
    uint32_t deferred_count;    /* (atomic) also beyond DEFERRED_MAX: lost */
    struct deferred deferred[DEFERRED_MAX];
    uintptr_t last_block; /* entered last by this thread */
    uint32_t **cells;  /* stack id -> cell id, in chunks made on first use */
    struct call_stack stack;
    struct trace trace;
};

/* Finds or makes a slot for the calling thread. Null when there is no room: its events are lost. */
struct thread *threads_claim(void);

/* In a forked child, after image_adopt: the caller keeps `self` (may be null) under its new tid, all other
 * slots are free to be inherited. */
void threads_after_fork(struct thread *self);

/* The cell of this thread for a stack, made on first use; its overflow cell when there is no room. */
uint32_t threads_cell(struct thread *self, uint32_t stack);

#endif
