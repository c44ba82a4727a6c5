/* stacks.h - interns call stacks -> a stable id.
 *
 * Owns:    the STACKS region.
 * Holds:   one id is one stack: ids are looked up by a 127-bit hash, and two different stacks among 10^7
 *          share it with a probability below 2^-64 (the argument is at struct ht_stack).
 *          A published stack never changes; its base was published before it.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_STACKS_H
#define HEAPTALLY_STACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "../unwind/call_stack.h"
#include "heaptally_format.h"

/* Sets up the stacks that stand for a reason (HT_STACK_OVERFLOW, HT_STACK_UNATTRIBUTED). Call once for a
 * new image. False: the image could not grow by as much as a page, and is of no use. */
bool stacks_begin(void);

/* The id of a stack (of its window, see call_stack.h) with the hash call_stack_hash; HT_STACK_OVERFLOW when
 * the tables are full. Notes the id as the owner of those of its frames that had none. */
uint32_t stacks_intern(struct call_stack *stack, struct stack_hash hash);

/* Has fetched what stacks_intern will look at first. */
void stacks_prefetch(struct stack_hash hash);

/* The frames of a recorded stack, newest first. */
struct stacks_cursor {
    const struct ht_stack *stack; /* that stores the next frame, or has a base that does */
    uint32_t left;                /* frames of it that are at or below the next */
};

static inline struct stacks_cursor stacks_newest(const struct ht_stack *stack) {
    return (struct stacks_cursor){stack, stack->frame_count};
}

/* The next frame's PC, coded (stack_hash.h). At most as often as the stack has frames. */
uint64_t stacks_next(struct stacks_cursor *self);

/* Writes the newest frames of a stack, at most `room` of them and newest first, as run-time addresses (of a
 * caller's frame the return address). Returns how many the stack has. */
uint32_t stacks_frames(uint32_t id, void **pcs, uint32_t room);

/* The id of a stack's twin with a context (contexts.h) instead of 0; the stack itself is returned for context
 * 0, HT_STACK_OVERFLOW when the tables are full. */
uint32_t stacks_in_context(uint32_t id, uint32_t context);

/* What the stack of this id is as an owner of the stack's frames, as long as that has as many; 0: none. */
uint32_t stacks_owner(const struct call_stack *stack, uint32_t id);

/* Notes the owner for those of the stack's frames that had none. */
void stacks_own(struct call_stack *stack, uint32_t owner);

#endif
