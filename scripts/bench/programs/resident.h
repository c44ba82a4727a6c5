/* resident.h - the resident bytes of this process, to the page.
 * Threads: any.  Signals: safe.  Heap: never, since the heap is what is measured. */
#ifndef RESIDENT_H
#define RESIDENT_H

#include <stddef.h>

/* Counts the pages in the page tables (smaps_rollup); what statm and ru_maxrss say may be 64 pages a thread
 * behind. -1 where the kernel has no smaps_rollup (before 4.14). */
long resident_bytes(void);

#endif
