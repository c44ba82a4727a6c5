/* trace.h - the last call stack of a thread, with what makes the next one cheap to intern.
 *
 * Frames are kept outermost first. Frame i has the hash of the stack from the outermost frame up to it,
 * and an owner: the id of a stack that is known to begin with these i + 1 frames, or 0. Two stacks of one
 * thread that follow each other share most of them.
 *
 * Threads: each its own.  Signals: no (the owner's guard keeps handlers out).  Heap: never. */
#ifndef HEAPTALLY_TRACE_H
#define HEAPTALLY_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "field.h"

/* Bit 63 of a coded PC: the instruction that a signal interrupted. No user address has it. */
#define TRACE_EXACT ((uint64_t)1 << 63)

struct trace_frame {
    field prefix; /* hash of frames [0, here], folded */
    uint64_t pc;  /* coded */
    uint32_t salt;
    uint32_t owner;
    uint32_t id; /* of the stack that ends here, once known; else 0 */
};

struct trace {
    struct trace_frame *frames;
    uint32_t capacity;
    uint32_t count;
    uint32_t depth;      /* untruncated; count <= depth, and the oldest depth - count are not kept */
    uint32_t generation; /* modules_generation for which the frames hold */
};

/* The return address of signal handlers, once known; else 0. */
extern uintptr_t trace_signal_return;

/* Prepares an empty trace of at most `capacity` frames. False: no memory. */
bool trace_open(struct trace *self, uint32_t capacity);

/* Makes `self` the stack pcs[0..count), outermost first, of which the newest `capacity` are kept; the
 * first `shared` are those of the last call for this trace. */
void trace_set(struct trace *self, const uintptr_t *pcs, uint32_t count, uint32_t shared);

/* The hash of all kept frames; 1 for none. */
field trace_hash(const struct trace *self);

#endif
