/* track.h - the story of one allocation and one free.
 *
 * Every function here may be called from any thread, in a signal handler, before main, after exit, in a
 * forked child, and while the thread is already inside the tracer (it then puts the event off). None
 * changes errno, allocates from the heap or waits. */
#ifndef HEAPTALLY_TRACK_H
#define HEAPTALLY_TRACK_H

#include <stdbool.h>
#include <stddef.h>

#include "blocks.h"

struct caller;
struct thread;

/* A block was allocated: call after the real allocation, before the program sees the pointer. caller:
 * CALLER_HERE in the interposed function. */
void track_allocated(void *block, size_t size_bytes, const struct caller *caller);

/* As track_allocated, unless the allocator has come through another interposed function with it. */
void track_allocated_once(void *block, size_t size_bytes, const struct caller *caller);

/* A block is about to be freed: call before the real free, since the address may be reused at once. */
void track_freed(void *block);

/* The three ends of a realloc. track_forget before the real one: takes the block out without counting.
 * Then, when it has succeeded, track_reallocated: counts the free of `old` and an allocation; or when it
 * has freed the block, track_forgotten; or when it has failed, track_restore: as if nothing had been. */
struct block track_forget(void *block);
void track_reallocated(struct block old, void *block, size_t size_bytes, const struct caller *caller);
void track_forgotten(struct block old);
void track_restore(struct block old, void *block);

/* The cell of a block of a domain that the caller names, by whom the thread's guard is held. */
uint32_t track_cell(struct thread *thread, const struct caller *caller, uint32_t domain);

/* Events of this thread between mute and unmute are neither traced nor counted: the loader's own
 * allocations for us. Nests. */
void track_mute(void);
void track_unmute(void);

/* From now on some stacks are verified (verify.h). */
void track_verify(void);

/* Code was unmapped (dlclose). */
void track_code_unmapped(void);

/* Begins to trace if nobody has tried yet. A process in which it fails goes on untraced: without memory, or
 * where the kernel cannot tell us of forks (Linux < 4.14). */
void track_begin(void);

/* Whether events count: track_ready, and tracing is not stopped. */
bool track_is_active(void);

/* Events count no more; they do again. For tracing.h, which says from where. */
void track_pause(void);
void track_resume(void);

/* Whether this process is traced and the image is its own, after a fork made so if need be. */
bool track_ready(void);

#endif
