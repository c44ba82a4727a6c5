/* unwind.h - call stacks of the calling thread: one record of functions per way to get them.
 *
 * An unwinder fills a caller's array with program counters, newest first, and knows no table. The newest
 * is the program's call into an interposed function: frames of this library are cut off.
 *
 * Threads: any.  Signals: as the back-end says.  Heap: the back-end must not call an interposed function,
 * or must bear that its calls are not traced (the caller's guard is closed).  errno: may change; its callers here keep it. */
#ifndef HEAPTALLY_UNWIND_H
#define HEAPTALLY_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

struct unwinder {
    const char *name;
    /* Makes it ready; where the loader may be called. False: it cannot be used here. */
    bool (*open)(void);
    /* Writes at most `capacity` PCs and returns how many. */
    uint32_t (*unwind)(uintptr_t *pcs, uint32_t capacity);
    /* As unwind, without what it remembers of code: right also where a library took another's place. */
    uint32_t (*unwind_afresh)(uintptr_t *pcs, uint32_t capacity);
    /* Code has been unmapped: drops what is remembered of it. */
    void (*forget)(void);
};

extern const struct unwinder unwinder_cfi, unwinder_libunwind, unwinder_gcc; /* cfi: x86-64 only */

/* Chooses by options.unwinder; the static back-end gcc until then and where the choice cannot be opened.
 * Only where the loader may be called: the constructor. */
void unwind_choose(void);

const char *unwind_name(void);

/* The stack of the caller. afresh: see unwind_afresh. */
uint32_t unwind_stack(uintptr_t *pcs, uint32_t capacity, bool afresh);

void unwind_forget(void);

#endif
