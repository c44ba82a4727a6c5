/* cfi_rows.c - see cfi_rows.h.
 * Owns:    the cache.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "cfi_rows.h"

struct cfi_rows_entry cfi_rows[1u << CFI_ROWS_BITS] __attribute__((aligned(64)));

struct cfi_row cfi_rows_fill(uint64_t pc, size_t place) {
    struct cfi_row row =
        cfi_row_at((pc & STACK_EXACT) != 0 ? (uintptr_t)(pc & ~STACK_EXACT) : (uintptr_t)pc - 1);
    uint64_t word;
    if (row.kind == CFI_GUESS) /* a library may come to where there is none */
        return row;
    memcpy(&word, &row, sizeof word);
    /* The empty one of the two places, else one by the address: as good as any. */
    if (cfi_rows[place].row != 0 && (cfi_rows[place ^ 1].row == 0 || (pc >> 1 & 1) != 0))
        place ^= 1;
    __atomic_store_n(&cfi_rows[place].key, pc ^ word, __ATOMIC_RELAXED);
    __atomic_store_n(&cfi_rows[place].row, word, __ATOMIC_RELAXED);
    return row;
}

void cfi_rows_forget(void) {
    memset(cfi_rows, 0, sizeof cfi_rows);
}
