/* cfi_rows.h - a cache of rows by coded PC (stack_hash.h): a return address stands for the call before it.
 *
 * An entry is one word, so never torn: the address, and which of the rows that differ is its own. These are
 * few (652 in all of cc1plus, 584 in LLVM), and entries many: at half the size more of the processor's
 * cache is left to the program. Of cc1plus' instructions it saves 0.6 %, of f20's 4 %. Measured too: 128
 * bytes of code to a line of entries (collisions: 0.8 % more instructions), half of the entries (no faster).
 *
 * Memory orders: an entry is stored with release, after its row, and loaded with acquire. Threads: any,
 * lock-free; a cfi_rows_late is its owner's alone.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_CFI_ROWS_H
#define HEAPTALLY_CFI_ROWS_H

#include "call_stack.h"
#include "cfi_row.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define CFI_ROWS_BITS     15
#define CFI_ROWS_DISTINCT 8192u

/* (atomic) The coded PC, and below it which row it has; 0: none. */
extern uint64_t cfi_rows[1u << CFI_ROWS_BITS];

/* (atomic) Never changed once set: an entry that is being dropped may yet be read. */
extern uint64_t cfi_rows_distinct[CFI_ROWS_DISTINCT];

/* Before a thread's first look-up. The first row is CFI_NO_CODE, so that what an empty entry says, PC 0 has
 * row 0, is right. Not from the file, whose data would grow by the whole table. */
static inline void cfi_rows_open(void) {
    __atomic_store_n(&cfi_rows_distinct[0], (uint64_t)CFI_NO_CODE, __ATOMIC_RELAXED);
}

/* Reads the row and enters it at its place or next to it. */
struct cfi_row cfi_rows_fill(uint64_t pc);

/* Drops all entries: code was unmapped. Before it runs new code there, each thread drops its late ones. */
void cfi_rows_forget(void);

/* In an entry. What is no coded PC is not cut off, so it is no entry's. */
#define CFI_ROWS_SHIFT 14
_Static_assert(STACK_EXACT << CFI_ROWS_SHIFT == (uint64_t)1 << 63, "there is room for a coded PC");
_Static_assert(CFI_ROWS_DISTINCT <= 1u << CFI_ROWS_SHIFT, "and below it for which row");

static inline size_t cfi_rows_place(uint64_t pc) {
    return pc * 0x9E3779B97F4A7C15u >> (64 - CFI_ROWS_BITS);
}

/* The entry of a coded PC: at its place, or in one of those next to it; 0: it has none. */
static inline uint64_t cfi_rows_entry(uint64_t pc) {
    size_t place = cfi_rows_place(pc);
    for (size_t beside = 0; beside < 4; beside++) {
        uint64_t entry =
            __atomic_load_n(&cfi_rows[place ^ beside], __ATOMIC_ACQUIRE); /* partner: cfi_rows_fill */
        if (__builtin_expect(entry >> CFI_ROWS_SHIFT == pc, 1))
            return entry;
    }
    return 0;
}

static inline struct cfi_row cfi_rows_of(uint64_t entry) {
    size_t which = entry & ((1u << CFI_ROWS_SHIFT) - 1);
    uint64_t word = __atomic_load_n(&cfi_rows_distinct[which], __ATOMIC_RELAXED);
    struct cfi_row row;
    memcpy(&row, &word, sizeof row);
    return row;
}

/* The row of the code at a coded PC, or CFI_NO_CODE of what is none. */
static inline struct cfi_row cfi_rows_find(uint64_t pc) {
    uint64_t entry = cfi_rows_entry(pc);
    return __builtin_expect(entry != 0, 1) ? cfi_rows_of(entry) : cfi_rows_fill(pc);
}

/* ---- in front of it ----
 *
 * The entries that a thread has used lately, one at each place: 16 KiB that stay in the processor's cache,
 * where 256 KiB do not. Of cc1plus' time it saves 0.7 %. Measured too: 8 and 32 KiB (0.6, 0.5 %),
 * neighbouring code on one line (0.4 %). */

#define CFI_ROWS_LATE_BITS 11

struct cfi_rows_late {
    uint64_t entries[1u << CFI_ROWS_LATE_BITS]; /* all 0: none */
};

static inline size_t cfi_rows_late_place(uint64_t pc) {
    return pc * 0x9E3779B97F4A7C15u >> (64 - CFI_ROWS_LATE_BITS);
}

/* As cfi_rows_find, and keeps the entry. */
struct cfi_row cfi_rows_find_beyond(uint64_t *late, uint64_t pc);

static inline struct cfi_row cfi_rows_find_late(struct cfi_rows_late *self, uint64_t pc) {
    uint64_t *late = &self->entries[cfi_rows_late_place(pc)];
    if (__builtin_expect(*late >> CFI_ROWS_SHIFT == pc, 1))
        return cfi_rows_of(*late);
    return cfi_rows_find_beyond(late, pc);
}

/* Its thread's part of cfi_rows_forget. */
static inline void cfi_rows_forget_late(struct cfi_rows_late *self) {
    memset(self, 0, sizeof *self);
}

#endif
