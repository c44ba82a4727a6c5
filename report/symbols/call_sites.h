/* call_sites.h - what a call instruction calls, by name, where the file says so.
 *
 * A call of a function in the module itself has a symbol at its target; one that goes through the linker's
 * stub or table has a relocation. Of calls through a pointer nothing is known. x86-64 alone: elsewhere
 * nothing is known.
 *
 * Owns:    its index; the names belong to the ELF file, which must stay open.
 * Threads: one at a time.   Heap: yes; short of memory means not known. */
#ifndef HEAPTALLY_SYMBOLS_CALL_SITES_H
#define HEAPTALLY_SYMBOLS_CALL_SITES_H

#include "elf_file.h"
#include "symbol_table.h"

struct call_slot {
    uint64_t address; /* where the loader writes the function's address */
    const char *name;
};

/* Zero-initialised is one that was not asked yet. */
struct call_sites {
    struct call_slot *slots; /* by address */
    size_t count, capacity;
    bool indexed;
};

/* The linker's name of what the call before `return_address` calls, or null. */
const char *call_sites_find(struct call_sites *self, const struct elf_file *file,
                            const struct symbol_table *symbols, uint64_t return_address);

void call_sites_clear(struct call_sites *self);

#endif
