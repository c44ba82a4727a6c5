/* frames.h - the frames that stacks store: runs of them, outermost first.
 * Owns:    the FRAMES region.   Holds: a frame is written once.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_FRAMES_H
#define HEAPTALLY_FRAMES_H

#include <stdint.h>

#include "../unwind/call_stack.h"

/* Where such a run stands in FRAMES; `count` is not 0. 0: no room for it or for one of its PCs. */
uint32_t frames_store(const struct stack_frame *run, uint32_t count);

#endif
