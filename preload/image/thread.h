/* thread.h - the private state of a thread slot: one living thread's at a time.
 * Threads: its owner's.  Signals: `deferred` and its count are for handlers.  Heap: never. */
#ifndef HEAPTALLY_THREAD_H
#define HEAPTALLY_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "../unwind/unwind.h"

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
    uint32_t **cells;     /* stack id -> cell id, in chunks made on first use */
    struct call_stack stack;
};

#endif
