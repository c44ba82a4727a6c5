/* thread.h - the private state of a thread slot: one living thread's at a time.
 * Threads: its owner's.  Signals: `deferred` and its count are for handlers.  Heap: never. */
#ifndef HEAPTALLY_THREAD_H
#define HEAPTALLY_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "../blocks.h"
#include "../unwind/unwind.h"
#include "details.h"

/* An event that interrupted the tracer, to be counted once it is done. */
struct deferred {
    uint32_t cell;
    bool freed;
    bool mapping;    /* a change of a mapping, which is counted exactly ... */
    uint16_t blocks; /* ... as that many */
    uint64_t size_bytes;
};

#define DEFERRED_MAX 64

/* A stack that this thread met lately, by its whole hash: one line of the cache instead of three (the index,
 * the stack, the cell's number), each from a table too large for it. */
struct recent {
    struct stack_hash hash;
    uint32_t cell;         /* 0: none */
    uint32_t owner, count; /* what it is as an owner (stacks.h) of a stack with so many frames */
    uint32_t reserved;
};
_Static_assert(sizeof(struct recent) == 32, "never on two lines");

#define RECENT_BITS 11

/* A cell of another thread whose blocks this one has freed, and this one's of the same stack. */
struct foreign {
    uint32_t cell, own; /* 0: none */
};

#define FOREIGN_CELLS 512u

/* A cell of this thread, and the one that counts its stack in a context. */
struct context_cell {
    uint32_t cell, context, own; /* 0: none */
};

#define CONTEXT_CELLS 256u
#define SCOPES_MAX    64u

/* A block that was forgotten at the start of a realloc, which has not yet ended. */
struct forgotten {
    uintptr_t address;
    uint64_t size_bytes;
    uint32_t cell;
    struct birth birth;
};

#define FORGOTTEN_MAX 8 /* one, and those of handlers on top of it */

/* Of HEAPTALLY_DETAILS. */
struct thread_details {
    uint64_t allocations; /* (atomic) of this slot; other threads that free its blocks read it */
    uint32_t forgotten_count;
    struct forgotten forgotten[FORGOTTEN_MAX];
    struct happening deferred[DEFERRED_MAX]; /* what belongs to `deferred` */
};

struct thread {
    uint32_t slot;
    uint32_t overflow_cell;        /* of HT_STACK_OVERFLOW: taken at the start, so that it is there in need */
    uint32_t unattributed_cell;    /* of HT_STACK_UNATTRIBUTED */
    uint32_t unattributed_mapping; /* of its twin in the domain of mappings, where they are counted */
    uint32_t deferred_count;       /* (atomic) also beyond DEFERRED_MAX: lost */
    struct deferred deferred[DEFERRED_MAX];
    uintptr_t last_block;          /* entered last by this thread */
    uintptr_t last_frame;          /* of the call that did so */
    uint32_t **cells;              /* stack id -> cell id, in chunks made on first use */
    uint32_t next_cell;            /* of this slot's last chunk; a multiple of a chunk: there is none */
    uint32_t next_context_cell;    /* likewise, of stacks with a context */
    uint32_t epoch;                /* of cells_epoch: what is remembered of cells is of it */
    uint32_t context;              /* of what the thread allocates now; 0: none */
    uint32_t scopes[SCOPES_MAX];   /* the contexts outside of the open scopes */
    uint32_t scope_count;          /* also beyond SCOPES_MAX: not opened, and closed likewise */
    struct context_cell *contexts; /* CONTEXT_CELLS; null: not needed yet */
    struct foreign foreign[FOREIGN_CELLS];
    struct call_stack stack;
    struct blocks_near near;
    uint64_t random;                /* of sample.h */
    uint64_t until_verify;          /* stacks until the next that is verified */
    struct call_stack *reference;   /* of verify.c; null: not needed yet */
    struct recent *recents;         /* 1 << RECENT_BITS */
    struct thread_details *details; /* null: without them */
};

#endif
