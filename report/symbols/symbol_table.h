/* symbol_table.h - the functions of ELF symbol tables, by address.
 *
 * Owns:    its index; the names belong to the ELF files, which must stay open.
 * Threads: one at a time.   Heap: yes. */
#ifndef HEAPTALLY_SYMBOLS_SYMBOL_TABLE_H
#define HEAPTALLY_SYMBOLS_SYMBOL_TABLE_H

#include "elf_file.h"
#include "intervals.h"

struct symbol_table {
    const char **names;
    uint64_t *lows; /* of each name */
    size_t count, capacity;
    struct intervals extents;
};

/* Adds the functions of one file: of .symtab, or if it has none of .dynsym. False: out of memory. */
bool symbol_table_add(struct symbol_table *self, const struct elf_file *file);

/* To be called once after the last file. */
bool symbol_table_finish(struct symbol_table *self);

/* The linker's name of the function that covers `address`, or null. */
const char *symbol_table_find(const struct symbol_table *self, uint64_t address);

/* The same of the function that begins at `address`. */
const char *symbol_table_begins(const struct symbol_table *self, uint64_t address);

void symbol_table_clear(struct symbol_table *self);

#endif
