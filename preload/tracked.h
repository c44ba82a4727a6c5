/* tracked.h - blocks that a program names itself, in domains of its own (heaptally_track): (domain, address)
 * -> size and the cell that counts it.
 *
 * Any number is an address here: pools hand out parts of one block, and what a domain means by it (a GPU's
 * memory, an index) is the program's affair.
 *
 * Holds:   a key that was put is found, until it is removed. Of two threads that put one key at the same
 * moment, a mistake of the program, both may be entered. Threads: any, lock-free.  Signals: safe.  Heap:
 * never. */
#ifndef HEAPTALLY_TRACKED_H
#define HEAPTALLY_TRACKED_H

#include <stdbool.h>
#include <stdint.h>

#include "blocks.h"

/* Enters a block, or replaces it: *old is then what it was, else cell 0. False: no memory. */
bool tracked_put(uint32_t domain, uintptr_t address, struct block block, struct block *old);

/* Removes a block and returns what it was; cell 0 if there is none. */
struct block tracked_remove(uint32_t domain, uintptr_t address);

/* Calls `visit` for each block; in a process without other threads (a forked child). */
void tracked_each(void (*visit)(uintptr_t address, struct block block));

#endif
