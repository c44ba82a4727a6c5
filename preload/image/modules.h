/* modules.h - which ELF object a code address belongs to, for ever: also after dlclose.
 *
 * Owns:    the MODULES and STRINGS regions, and the list of ranges that were unmapped.
 * Holds:   a published module never changes but for unmapped_ns; two objects that lived at one address
 *          one after the other are two records, and code addresses of the second have another salt.
 * Threads: any, lock-free (two threads may record one module twice: a reader cannot tell, nor need it).
 * Signals: safe.  Heap: never.  Loader's lock: never (_dl_find_object takes none). */
#ifndef HEAPTALLY_MODULES_H
#define HEAPTALLY_MODULES_H

#include <stdbool.h>
#include <stdint.h>

/* Counts the dlclose calls that unmapped something. Whoever caches by code address starts anew when it
 * changes. */
extern uint32_t modules_generation;

/* Records every object that is loaded now. Only where the loader may be asked: the constructor. */
void modules_record_all(void);

/* The module that holds pc, recorded if it is new; 0 if none does. */
uint32_t modules_find(uintptr_t pc);

/* After a dlclose: marks what is gone. */
void modules_sweep(void);

/* -- for modules_salt alone: the hull of all unmapped ranges, empty at first -- */
extern uintptr_t modules_reused_low, modules_reused_high;
uint32_t modules_salt_within(uintptr_t pc);

/* How often the range of pc had been unmapped; 0 for nearly every program. */
static inline uint32_t modules_salt(uintptr_t pc) {
    /* relaxed: who runs code in a reused range got there through the dlopen that reused it */
    if (__builtin_expect(pc < __atomic_load_n(&modules_reused_low, __ATOMIC_RELAXED) ||
                             pc >= __atomic_load_n(&modules_reused_high, __ATOMIC_RELAXED),
                         1))
        return 0;
    return modules_salt_within(pc);
}

#endif
