/* counters.h - what a stack allocated and freed, in this thread's cell; live bytes; the peak.
 *
 * The peak, by stack, without a log. max is the largest number of live bytes seen, and has a sequence
 * number. Only a free can end a maximum: when the live bytes before it exceed max, max becomes that and the
 * sequence advances. Each cell, before it changes, notes its live values under the current sequence if it
 * has not yet. So a cell whose sequence is current holds its share of the maximum, and one whose is not
 * has not changed since, and its live values are its share.
 *
 * One thread: every event is added to the global live bytes at once, and the peak is exact. More: a thread
 * holds back up to a quantum Q = clamp(max / (4096 T), 256, 65536) bytes, and the cells' peak values are
 * those of a true instant give or take one event a thread, within 2 T Q of the true maximum.
 *
 * Threads: each its own cells.  Signals: no (guarded by the caller).  Heap: never. */
#ifndef HEAPTALLY_COUNTERS_H
#define HEAPTALLY_COUNTERS_H

#include <stdint.h>

struct thread;

/* Counts an allocation in `cell`, one of the thread's own. */
void counters_allocated(struct thread *self, uint32_t cell, uint64_t size_bytes);

/* Counts a free of a block whose allocation is counted in `cell`, whoever's that is. */
void counters_freed(struct thread *self, uint32_t cell, uint64_t size_bytes);

/* One more slot is in use. */
void counters_thread_joined(void);

/* In a forked child, after image_adopt: all cells start from 0 ... */
void counters_reset(void);
/* ... then each inherited block is entered, ... */
void counters_inherit(uint32_t cell, uint64_t size_bytes);
/* ... and the totals follow. */
void counters_settle(void);

#endif
