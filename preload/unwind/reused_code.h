/* reused_code.h - which ranges of code addresses have been unmapped, and how often: what is remembered of
 * code by its address holds no longer there.
 *
 * Holds:   a range that was unmapped once is in the hull for ever.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_REUSED_CODE_H
#define HEAPTALLY_REUSED_CODE_H

#include <stdbool.h>
#include <stdint.h>

/* How many unmappings were counted: who keeps hashes by code address starts anew when it changes. */
extern uint32_t reused_code_generation; /* (atomic) */

/* Counts one more unmapping of [start, end). False: no room to remember it. */
bool reused_code_add(uintptr_t start, uintptr_t end);

/* -- for the functions below alone: the hull of all unmapped ranges, empty at first -- */
extern uintptr_t reused_code_low, reused_code_high;
uint32_t reused_code_salt_within(uintptr_t pc);

static inline bool reused_code_any(void) {
    return __atomic_load_n(&reused_code_high, __ATOMIC_RELAXED) != 0;
}

/* How often the range of pc had been unmapped; 0 for nearly every program. */
static inline uint32_t reused_code_salt(uintptr_t pc) {
    /* relaxed: who runs code in a reused range got there through the dlopen that reused it */
    if (__builtin_expect(pc < __atomic_load_n(&reused_code_low, __ATOMIC_RELAXED) ||
                             pc >= __atomic_load_n(&reused_code_high, __ATOMIC_RELAXED),
                         1))
        return 0;
    return reused_code_salt_within(pc);
}

#endif
