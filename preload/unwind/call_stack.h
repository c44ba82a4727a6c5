/* call_stack.h - the last call stack of a thread, with what makes the next one cheap to find and to intern.
 *
 * Frames are kept outermost first. Frame i has the hash of the stack from the outermost frame up to it
 * (struct ht_stack says which), and an owner: a stack that is known to begin with these i + 1 frames, or with
 * as many of them as are in its window. Two stacks of one thread that follow each other share most of them.
 *
 * Of a stack that is deeper than nframe only the newest nframe frames are kept: its window. The hash of a
 * window is the difference of two prefixes, so a window costs as much as a frame, and equal windows have
 * equal hashes, whatever lies below them. So nobody need know what does: frames below the window may be out
 * of date.
 *
 * Threads: each its own.  Signals: no (the owner's guard keeps handlers out).  Heap: never. */
#ifndef HEAPTALLY_CALL_STACK_H
#define HEAPTALLY_CALL_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reused_code.h"
#include "stack_hash.h"

/* Frames of a stack at most; of deeper ones the newest are found. What lies far below the window matters to
 * nobody, and would cost each thread address space. */
#define STACK_FRAMES_MAX   65535u
#define STACK_FRAMES_BELOW 4096u

struct stack_frame {
    struct stack_hash prefix; /* of frames [0, here]; not canonical */
    uint64_t pc;              /* coded (stack_hash.h) */
    uint32_t salt;
    uint32_t owner; /* as stacks_owner has it */
    uint32_t cell;  /* of the stack that ends here, for whoever interns; else 0 */
};

struct cfi_stack;

struct call_stack {
    struct stack_frame *frames; /* frames[-1] is the empty stack's */
    uint32_t count;
    uint32_t nframe;
    uint32_t capacity; /* of frames and scratch: nframe and STACK_FRAMES_BELOW, at most STACK_FRAMES_MAX */
    bool cut;          /* there are older frames than frames[0], and count >= nframe */
    struct stack_hash point, window_power; /* of the hash; point ^ nframe */
    uint32_t
        generation;     /* of reused_code for which the frames hold; for back-ends without one of their own */
    uint32_t known;     /* 0, or what unwind_remember gave this very stack: the frames are then not set */
    uintptr_t *scratch; /* newest first, for back-ends that work so */
    struct cfi_stack *cfi;
};

/* Return address of signal handlers, once known; else 0. For back-ends that do not tell. */
extern uintptr_t call_stack_signal_return; /* (atomic) */

/* Whether the code at pc, of which so many bytes must be readable, is what handlers return to. */
#define SIGNAL_RETURN_BYTES 9
bool call_stack_returns_from_signal(uintptr_t pc);

/* Prepares an empty stack that keeps the newest nframe frames. False: no memory. */
bool call_stack_open(struct call_stack *self, uint32_t nframe, struct stack_hash point);

/* The same for another nframe; what it held is forgotten. Without memory for more frames it keeps what it
 * kept. */
void call_stack_keep(struct call_stack *self, uint32_t nframe);

/* Makes `self` the stack newest_first[0..count). */
void call_stack_set(struct call_stack *self, const uintptr_t *newest_first, uint32_t count);

/* The kept frames are frames[first..count). */
static inline uint32_t call_stack_first(const struct call_stack *self) {
    return self->count > self->nframe ? self->count - self->nframe : 0;
}

/* The hash of all kept frames, canonical; (1, 1) for none. */
struct stack_hash call_stack_hash(const struct call_stack *self);

static inline uint32_t call_stack_salt(uint64_t coded_pc) {
    return reused_code_salt(coded_pc & ~STACK_EXACT);
}

/* Makes *frame the one on top of those with the hash `below`; returns the hash with it. */
static inline __attribute__((always_inline)) struct stack_hash
call_stack_fill(struct stack_frame *frame, struct stack_hash below, struct stack_hash point,
                uint64_t coded_pc, uint32_t salt) {
    struct stack_hash prefix = stack_hash_put(below, point, coded_pc, salt);
    frame->prefix = prefix;
    frame->pc = coded_pc;
    frame->salt = salt;
    frame->owner = 0;
    frame->cell = 0;
    return prefix;
}

/* Puts frames on top of the `kept` oldest ones, which are as they were, to make it `count`; *coded_pc is the
 * oldest one's, and the next is always `stride` further. Frames that are what they were, and all below them,
 * keep their hash and their owner. */
static inline __attribute__((always_inline)) void call_stack_append(struct call_stack *self, uint32_t kept,
                                                                    const uint64_t *coded_pc,
                                                                    ptrdiff_t stride, uint32_t count) {
    struct stack_frame *frame = self->frames + kept, *end = self->frames + count;
    uint32_t known = self->count < count ? self->count : count;
    const struct stack_frame *known_end = self->frames + known;
    self->count = count;
    for (; frame < known_end && frame->pc == *coded_pc; coded_pc += stride)
        frame++;
    struct stack_hash prefix = frame[-1].prefix, point = self->point;
    if (__builtin_expect(reused_code_any(), 0)) {
        for (; frame != end; frame++, coded_pc += stride)
            prefix = call_stack_fill(frame, prefix, point, *coded_pc, call_stack_salt(*coded_pc));
        return;
    }
    for (; frame != end; frame++, coded_pc += stride)
        prefix = call_stack_fill(frame, prefix, point, *coded_pc, 0);
}

#endif
