/* cfi_rows.c - see cfi_rows.h.
 * Owns:    the cache.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "cfi_rows.h"

uint64_t cfi_rows[1u << CFI_ROWS_BITS] __attribute__((aligned(64)));
uint64_t cfi_rows_distinct[CFI_ROWS_DISTINCT];

/* Where the row is among those that differ; CFI_ROWS_DISTINCT if it has no room there. */
static uint64_t which(uint64_t row) {
    for (uint64_t at = 1; at < CFI_ROWS_DISTINCT; at++) {
        uint64_t present = __atomic_load_n(&cfi_rows_distinct[at], __ATOMIC_RELAXED);
        if (present == 0) /* and still 0 if that takes the place */
            __atomic_compare_exchange_n(&cfi_rows_distinct[at], &present, row, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED);
        if (present == 0 || present == row)
            return at;
    }
    return CFI_ROWS_DISTINCT;
}

struct cfi_row cfi_rows_fill(uint64_t pc) {
    uint64_t address = pc & ~STACK_EXACT, word;
    if (address == 0 || address >> 48 != 0) /* 0 ends stacks, and no return address has more bits */
        return (struct cfi_row){.kind = CFI_NO_CODE};
    struct cfi_row row = cfi_row_at((pc & STACK_EXACT) != 0 ? address : address - 1);
    if (row.kind == CFI_GUESS) /* a library may come to where there is none */
        return row;
    memcpy(&word, &row, sizeof word);
    uint64_t at = which(word);
    if (at == CFI_ROWS_DISTINCT)
        return row;
    /* The next place that is empty, else one by the address: as good as any. */
    size_t place = cfi_rows_place(pc), beside = 0;
    while (beside < 4 && __atomic_load_n(&cfi_rows[place ^ beside], __ATOMIC_RELAXED) != 0)
        beside++;
    place ^= beside < 4 ? beside : pc >> 1 & 3;
    __atomic_store_n(&cfi_rows[place], pc << CFI_ROWS_SHIFT | at,
                     __ATOMIC_RELEASE); /* partner: cfi_rows_entry */
    return row;
}

struct cfi_row cfi_rows_find_beyond(uint64_t *late, uint64_t pc) {
    uint64_t entry = cfi_rows_entry(pc);
    if (entry == 0)
        return cfi_rows_fill(pc);
    *late = entry;
    return cfi_rows_of(entry);
}

void cfi_rows_forget(void) {
    for (size_t i = 0; i < sizeof cfi_rows / sizeof *cfi_rows; i++)
        __atomic_store_n(&cfi_rows[i], 0, __ATOMIC_RELAXED);
}
