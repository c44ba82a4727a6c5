/* stacks.h - interns call stacks: a trace -> a stable id.
 *
 * Owns:    the STACKS and FRAMES regions.
 * Holds:   one id is one stack: ids are looked up by a 127-bit hash, and two different stacks among 10^7
 *          share it with a probability below 2^-64 (the argument is at struct ht_stack).
 *          A published stack never changes; its base was published before it.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_STACKS_H
#define HEAPTALLY_STACKS_H

#include <stdbool.h>
#include <stdint.h>

struct trace;

/* Sets up the stacks that stand for a reason (HT_STACK_OVERFLOW, HT_STACK_UNATTRIBUTED). Call once for a
 * new image. False: the image could not grow by as much as a page, and is of no use. */
bool stacks_begin(void);

/* The id of the trace's stack, HT_STACK_OVERFLOW when the tables are full. Notes the id as the owner of
 * those of the trace's frames that had none. */
uint32_t stacks_intern(struct trace *trace);

#endif
