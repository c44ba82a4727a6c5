/* verify.h - HEAPTALLY_VERIFY_UNWIND=N: every N-th stack of a thread is unwound once more, by libunwind's
 * unw_step from the same point, and compared frame by frame with what was recorded: as a reader would decode
 * it, so that the unwinder, the memos, the hashes and the shared prefixes are all on trial.
 *
 * For tests and for doubters: a step costs 300 ns, and libunwind asks the loader, whose lock another thread
 * may hold, so a program that allocates under it in two ways may come to a halt.
 *
 * Threads: each its own reference.  Signals: no (the caller's guard).  Heap: none seen of libunwind. */
#ifndef HEAPTALLY_VERIFY_H
#define HEAPTALLY_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

struct thread;

/* Where the loader may be called. False: there is no libunwind; nothing is verified. */
bool verify_open(void);

/* Compares, if it is this stack's turn, the caller's stack with the recorded one. */
void verify_stack(struct thread *thread, uint32_t stack);

#endif
