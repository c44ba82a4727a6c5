/* happenings.h - what an event says beside its stack and size, under HEAPTALLY_DETAILS: when, how long after
 * the allocation, whether by a realloc.
 *
 * Threads: each its own state, whose `details` are there.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_HAPPENINGS_H
#define HEAPTALLY_HAPPENINGS_H

#include "blocks.h"
#include "image/details.h"

struct thread;

/* The block that a realloc began with. */
struct resized {
    uintptr_t address; /* 0: none */
    uint64_t size_bytes;
    bool known; /* else size_bytes is void */
};

/* An allocation: enters the block's birth. nested: on top of the tracer, and counted when the thread leaves.
 */
struct happening happening_born(struct thread *thread, uintptr_t address, uint64_t size_bytes, bool nested,
                                const struct resized *resized);

/* A free of a block that was born so. */
struct happening happening_died(const struct birth *birth);

/* The three ends of a realloc, as in track.h: takes the birth out and remembers it; gives back what was
 * remembered of `old` (slot 0: nothing) and of the block it was; or enters it again. */
void happening_forget(struct thread *thread, uintptr_t address, struct block old);
struct birth happening_recall(struct thread *thread, struct block old, struct resized *resized);
void happening_restore(struct thread *thread, uintptr_t address, struct block old);

#endif
