/* births.h - when and by whom a live block was allocated: address -> birth, of HEAPTALLY_DETAILS alone.
 *
 * Private to the process, as the block table is, which is asked first: here stands only what that table has
 * at the same address with the same size, so that nothing needs to be compared. It takes half of the bytes of
 * a heap of small blocks, up to a bound, and keeps its pages.
 *
 * Threads: any, lock-free; as blocks.h, a pointer that is handed over orders put before take.
 * Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_BIRTHS_H
#define HEAPTALLY_BIRTHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct birth {
    uint64_t time_ns;     /* since the epoch of details; kept in units of 64 ns */
    uint64_t number;      /* of the allocations of its slot; modulo BIRTHS_NUMBERS */
    uint64_t waste_bytes; /* exact below 1 MiB, else rounded down by less than one part in 2^19 */
    uint32_t slot;        /* 0: nothing is known */
};

#define BIRTHS_NUMBERS ((uint64_t)1 << 40)

/* Makes the empty table, which may grow to `most_bytes`. Once, before the others; without memory for it,
 * nothing finds room. */
void births_open(uint64_t most_bytes);

/* Enters a birth of a slot, and rounds it to what births_take will return. False: no room. */
bool births_put(uintptr_t address, uint64_t size_bytes, struct birth *birth);

/* What was entered, or slot 0. take: and removes it. */
struct birth births_get(uintptr_t address, uint64_t size_bytes);
struct birth births_take(uintptr_t address, uint64_t size_bytes);

/* How the allocator measures a block: malloc_usable_size, or null where it has none of its own. */
void births_measure_by(size_t (*usable_size)(void *));
/* Usable size of a live block less its requested one. Not in what the measuring itself may allocate. */
uint64_t births_waste(void *block, uint64_t size_bytes);

#endif
