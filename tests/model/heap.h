/* heap.h - included ahead of the reader's sources: their heap is the machine's memory, so that a run which is
 * given up in the middle leaves nothing behind, and a nap lets the others go on. */
#ifndef MODEL_HEAP_H
#define MODEL_HEAP_H

#include "machine.h"

#include <stdlib.h> /* first, so that they declare their own */
#include <time.h>

#define nanosleep(...)              machine_yield()
#define malloc(bytes)               machine_memory(bytes)
#define calloc(count, bytes)        machine_memory((count) * (bytes))
#define aligned_alloc(align, bytes) machine_memory(bytes)
#define free(at)                    ((void)(at))

#endif
