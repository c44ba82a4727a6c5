/* arena.h - the tracer's own private memory: taken, never given back.
 *
 * Threads: any, lock-free.  Signals: safe (a signal may waste a chunk's end).  Heap: never.
 * A forked child owns its copy. */
#ifndef HEAPTALLY_ARENA_H
#define HEAPTALLY_ARENA_H

#include <stddef.h>
#include <stdint.h>

/* Returns zeroed memory, aligned to 64 bytes, or null when the kernel has none. */
void *arena_take(size_t bytes);

/* As arena_take, for large and sparsely used tables: pages of their own, reserved lazily. */
void *arena_map(size_t bytes);

/* Where arena_take and arena_map add up what they hand out; before the first call, nowhere. */
void arena_meter(uint64_t *bytes);

#endif
