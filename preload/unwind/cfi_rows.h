/* cfi_rows.h - a cache of rows by coded PC (call_stack.h): a return address stands for the call before it.
 *
 * An entry is one word, so never torn: the address, and which of the rows that differ is its own. These are
 * few (652 in all of cc1plus, 584 in LLVM), and entries many: at half the size more of the processor's
 * cache is left to the program. Of cc1plus' instructions it saves 0.6 %, of f20's 4 %. Measured too: 128
 * bytes of code to a line of entries (collisions: 0.8 % more instructions), half of the entries (no faster).
 *
 * Memory orders: an entry is stored with release, after its row, and loaded with acquire. Threads: any,
 * lock-free.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_CFI_ROWS_H
#define HEAPTALLY_CFI_ROWS_H

#include "call_stack.h"
#include "cfi_row.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define CFI_ROWS_BITS     15
#define CFI_ROWS_DISTINCT 8192u

/* (atomic) What cfi_rows_key makes of the coded PC ^ which row it has; 0: none. */
extern uint64_t cfi_rows[1u << CFI_ROWS_BITS];

/* (atomic) Never changed once set: an entry that is being dropped may yet be read. */
extern uint64_t cfi_rows_distinct[CFI_ROWS_DISTINCT];

/* Reads the row and enters it at `place` or next to it. */
struct cfi_row cfi_rows_fill(uint64_t pc, size_t place);

/* Drops all entries: code was unmapped. */
void cfi_rows_forget(void);

/* 48 bits of address and STACK_EXACT, at 32768: what is below that says which row. Complemented, so that of
 * no address the empty entry, 0, says that. */
static inline uint64_t cfi_rows_key(uint64_t pc) {
    return ~(pc << 16 | pc >> 48);
}
_Static_assert(CFI_ROWS_DISTINCT < 32768, "what cfi_rows_key leaves free, but for the empty entry's");

static inline size_t cfi_rows_place(uint64_t pc) {
    return pc * 0x9E3779B97F4A7C15u >> (64 - CFI_ROWS_BITS);
}

static inline bool cfi_rows_at(size_t place, uint64_t key, struct cfi_row *row) {
    uint64_t which = __atomic_load_n(&cfi_rows[place], __ATOMIC_ACQUIRE) ^ key; /* partner: cfi_rows_fill */
    if (which >= CFI_ROWS_DISTINCT)
        return false;
    uint64_t word = __atomic_load_n(&cfi_rows_distinct[which], __ATOMIC_RELAXED);
    memcpy(row, &word, sizeof *row);
    return true;
}

/* The row of the code at a coded PC: at its place, or in one of those next to it. */
static inline struct cfi_row cfi_rows_find(uint64_t pc) {
    size_t place = cfi_rows_place(pc);
    uint64_t key = cfi_rows_key(pc);
    struct cfi_row row;
    if (__builtin_expect(cfi_rows_at(place, key, &row), 1) || cfi_rows_at(place ^ 1, key, &row) ||
        cfi_rows_at(place ^ 2, key, &row) || cfi_rows_at(place ^ 3, key, &row))
        return row;
    return cfi_rows_fill(pc, place);
}

#endif
