/* cfi_rows.h - a cache of rows by coded PC (call_stack.h): a return address stands for the call before it.
 *
 * What lies in one line of code lies in one line of the cache. Two words an entry, the row and address ^ row,
 * so that a torn pair belongs to no address: readers and writers need no lock and no order. Threads: any,
 * lock-free.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_CFI_ROWS_H
#define HEAPTALLY_CFI_ROWS_H

#include "call_stack.h"
#include "cfi_row.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define CFI_ROWS_BITS 15

struct cfi_rows_entry {
    uint64_t key; /* coded PC ^ row */
    uint64_t row;
};

extern struct cfi_rows_entry cfi_rows[1u << CFI_ROWS_BITS];

/* Reads the row and enters it at `place` or elsewhere in its line. */
struct cfi_row cfi_rows_fill(uint64_t pc, size_t place);

/* Drops all rows: code was unmapped. */
void cfi_rows_forget(void);

static inline bool cfi_rows_at(size_t place, uint64_t pc, struct cfi_row *row) {
    uint64_t word = __atomic_load_n(&cfi_rows[place].row, __ATOMIC_RELAXED);
    memcpy(row, &word, sizeof *row);
    return (__atomic_load_n(&cfi_rows[place].key, __ATOMIC_RELAXED) ^ word) == pc && word != 0;
}

/* The row of the code at a coded PC: in any place of its line, mostly in that of its 16 bytes of code. */
static inline struct cfi_row cfi_rows_find(uint64_t pc) {
    size_t line = (pc >> 6) * 0x9E3779B97F4A7C15u >> (64 - CFI_ROWS_BITS + 2),
           place = line << 2 | (pc >> 4 & 3);
    struct cfi_row row;
    if (__builtin_expect(cfi_rows_at(place, pc, &row), 1) || cfi_rows_at(place ^ 1, pc, &row) ||
        cfi_rows_at(place ^ 2, pc, &row) || cfi_rows_at(place ^ 3, pc, &row))
        return row;
    return cfi_rows_fill(pc, place);
}

#endif
