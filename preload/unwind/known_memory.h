/* known_memory.h - which memory around a thread's stack is known to be readable.
 *
 * A stack's pages are asked for once each (sys_readable), and their extent is remembered: so wrong call frame
 * information, or a register that is no frame pointer, ends a stack early and does no harm.
 *
 * Threads: each its own.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_KNOWN_MEMORY_H
#define HEAPTALLY_KNOWN_MEMORY_H

#include "../platform/sys.h"

#include <stdbool.h>
#include <stdint.h>

/* From low on, so many words: known readable, the stack that this thread was last seen on. */
struct known_memory {
    uintptr_t low, words;
};

#define KNOWN_MEMORY_PAGE ((uintptr_t)4096)

static __attribute__((noinline)) bool known_memory_probe(struct known_memory *self, uintptr_t address) {
    if (!sys_readable((const void *)address))
        return false;
    uintptr_t page = address & ~(KNOWN_MEMORY_PAGE - 1), more = KNOWN_MEMORY_PAGE / sizeof page;
    if (page == self->low + self->words * sizeof page) {
        self->words += more;
    } else if (page + KNOWN_MEMORY_PAGE == self->low) {
        self->low = page;
        self->words += more;
    } else {
        *self = (struct known_memory){page, more};
    }
    return true;
}

/* Whether the word at the address is known to be readable. */
static inline bool known_memory_has(const struct known_memory *self, uintptr_t address) {
    uintptr_t offset =
        address - self->low; /* its lowest bits turn into the highest: one comparison for both */
    return (offset >> 3 | offset << 61) < self->words;
}

/* Whether the word at the address can be read; aligned, so it does not cross pages. */
static inline bool known_memory_readable(struct known_memory *self, uintptr_t address) {
    return __builtin_expect(known_memory_has(self, address), 1) ||
           ((address & 7) == 0 && known_memory_probe(self, address));
}

#endif
