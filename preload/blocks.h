/* blocks.h - the block table: address of a live block -> its size and the cell that counts it.
 *
 * Private to the process, so that a forked child has it frozen; outside of the blocks, so that the heap
 * keeps its layout. Three planes by requested size, see blocks.c; a fourth for allocators that place
 * blocks closer than glibc's 32 bytes.
 *
 * Holds:   a block that was put is found, until it is removed.
 * Threads: any, lock-free; the program itself hands a pointer from the thread that allocated it to the
 *          one that frees it, and that orders put before remove.
 * Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_BLOCKS_H
#define HEAPTALLY_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

/* Cell ids that a plane can hold are 1 to 2^22 - 1. */
#define BLOCKS_CELL_BITS 22

struct block {
    uint64_t size_bytes;
    uint32_t cell; /* 0: no such block */
};

enum blocks_put {
    BLOCKS_PUT,
    BLOCKS_REPLACED, /* an earlier block was still entered there: its free was missed */
    BLOCKS_FULL,     /* no memory, or an address beyond 48 bits: not entered */
};

/* From now on place starts 8 bytes apart: for allocators other than glibc's. Before the first put. */
void blocks_exact(void);

/* Enters a block. On BLOCKS_REPLACED, *old is the earlier one. */
enum blocks_put blocks_put(uintptr_t address, struct block block, struct block *old);

/* Removes a block and returns what it was; cell 0 if there is none. */
struct block blocks_remove(uintptr_t address);

/* Whether a block is entered at the address. */
bool blocks_known(uintptr_t address);

/* Calls `visit` for each block; in a process without other threads (a forked child). */
void blocks_each(void (*visit)(struct block block));

/* Sizes of 4 GiB - 1 and more that had to be cut, since the side list was full. */
uint64_t blocks_clipped(void);

#endif
