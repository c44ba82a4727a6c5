/* mappings.h - the ledger of mappings: which ranges of addresses the program has mapped, and the cells that
 * count them.
 *
 * A piece is what is left in one range of what one call mapped: all of it at first; unmapping in its middle
 * makes two of it. Sizes are address space, exact in bytes, whether memory was ever touched or not.
 *
 * A range is taken out before the kernel unmaps it, since another thread may be given the same addresses at
 * once, and is then released or, where the call has failed, restored.
 *
 * Private to the process, so that a forked child has it frozen.
 *
 * Holds:   pieces are disjoint.
 * Threads: any. One changes the ledger at a time, with all its signals blocked; the others wait for a while,
 * and then do without. Signals: safe.  Heap: never.  errno: kept. */
#ifndef HEAPTALLY_MAPPINGS_H
#define HEAPTALLY_MAPPINGS_H

#include <stdbool.h>
#include <stdint.h>

/* Pieces that were taken out together. Whoever has it hands it to one of the functions below. */
struct mappings_taken {
    uint32_t first, epoch; /* first 0: none */
};

/* Counts a change: so many blocks (0, or 1 and more) and bytes, of a cell. */
typedef void mappings_count(void *to, uint32_t cell, uint32_t blocks, uint64_t size_bytes, bool freed);

/* Takes [start, end) out, nothing where start >= end. False: nothing is done, for want of memory or patience.
 */
bool mappings_take(uintptr_t start, uintptr_t end, struct mappings_taken *taken);

/* Enters a piece. What is still entered there goes to *replaced. False: nothing is done, likewise. */
bool mappings_enter(uintptr_t start, uintptr_t end, uint32_t cell, struct mappings_taken *replaced);

/* The range is unmapped: counts what was taken as freed. A piece of which something is left is one block
 * still, or two. */
void mappings_release(struct mappings_taken taken, mappings_count *count, void *to);

/* The call has failed: puts back what was taken, and joins it with what it was cut from. check: the call may
 * have unmapped some of it all the same, and that is counted as freed. Returns how many bytes found no way
 * back, for want of patience: they are counted as freed too. */
uint64_t mappings_restore(struct mappings_taken taken, bool check, mappings_count *count, void *to);

/* In a forked child: the parent may have been changing the ledger. What another thread was about to unmap is
 * not in it. */
void mappings_after_fork(void);

/* Calls `visit` for each piece, and for those that are taken out. False: not, for want of patience. */
bool mappings_each(void (*visit)(uint32_t cell, uint64_t size_bytes));

#endif
