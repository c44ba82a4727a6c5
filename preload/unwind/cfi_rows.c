/* cfi_rows.c - see cfi_rows.h.
 * Owns:    the cache.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "cfi_rows.h"

struct cfi_rows_entry cfi_rows[1u << CFI_ROWS_BITS] __attribute__((aligned(64)));

static bool is_taken(size_t place) {
    return __atomic_load_n(&cfi_rows[place].row, __ATOMIC_RELAXED) != 0;
}

struct cfi_row cfi_rows_fill(uint64_t pc, size_t place) {
    struct cfi_row row =
        cfi_row_at((pc & STACK_EXACT) != 0 ? (uintptr_t)(pc & ~STACK_EXACT) : (uintptr_t)pc - 1);
    uint64_t word;
    if (row.kind == CFI_GUESS) /* a library may come to where there is none */
        return row;
    memcpy(&word, &row, sizeof word);
    /* An empty place of the line, else one by the address: as good as any. */
    size_t beside = 0;
    while (beside < 4 && is_taken(place ^ beside))
        beside++;
    place ^= beside < 4 ? beside : pc >> 1 & 3;
    __atomic_store_n(&cfi_rows[place].key, pc ^ word, __ATOMIC_RELAXED);
    __atomic_store_n(&cfi_rows[place].row, word, __ATOMIC_RELAXED);
    return row;
}

/* Half of an entry that others read meanwhile is none: its key is not its row's. */
void cfi_rows_forget(void) {
    for (size_t i = 0; i < sizeof cfi_rows / sizeof *cfi_rows; i++) {
        __atomic_store_n(&cfi_rows[i].key, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&cfi_rows[i].row, 0, __ATOMIC_RELAXED);
    }
}
