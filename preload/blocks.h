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
#include <stddef.h>
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
static inline enum blocks_put blocks_put(uintptr_t address, struct block block, struct block *old);

/* Removes a block and returns what it was; cell 0 if there is none. */
static inline struct block blocks_remove(uintptr_t address);

/* The block that is entered at the address; cell 0 if there is none. */
struct block blocks_find(uintptr_t address);

/* Whether a block is entered at the address. */
bool blocks_known(uintptr_t address);

/* Calls `visit` for each block; in a process without other threads (a forked child). */
void blocks_each(void (*visit)(uintptr_t address, struct block block));

/* The same while others allocate and free: what they do meanwhile may be seen or not. False, without a call:
 * pages of the table are being given back. */
bool blocks_each_now(void (*visit)(uintptr_t address, struct block block));

/* Sizes of 4 GiB - 1 and more that had to be cut, since the side list was full. */
uint64_t blocks_clipped(void);

/* Gives back pages of the table that have become empty, in at most `leaves` leaves from where the last call
 * ended. True: that was the end of the table, and the next call begins anew. One thread at a time; others'
 * calls do nothing. */
bool blocks_sweep(uint32_t leaves);

/* In a forked child: the parent may have been sweeping. */
void blocks_after_fork(void);

/* Where few blocks are entered: as blocks_put and blocks_remove, and keeps count of them by page, so that
 * blocks_none_near can tell soon that an address has none. */
enum blocks_put blocks_put_counted(uintptr_t address, struct block block, struct block *old);
struct block blocks_remove_counted(uintptr_t address);

/* ---- inline, since it is done for every event: blocks below 512 bytes in an existing leaf ---- */

#define BLOCKS_LEAF_BITS   22u
#define BLOCKS_TABLE_BITS  13u
#define BLOCKS_ROOT_BITS   13u
#define BLOCKS_SMALL_LIMIT 512u
#define BLOCKS_CELL_MASK   ((1u << BLOCKS_CELL_BITS) - 1)

struct blocks_leaf {
    uint64_t medium[1u << (BLOCKS_LEAF_BITS - 9)];
    uint64_t large[1u << (BLOCKS_LEAF_BITS - 13)];
    uint16_t counts[2048]; /* (atomic) blocks_put_counted, by page: 1024; what follows begins a page */
    uint32_t small[];      /* 1 << (BLOCKS_LEAF_BITS - blocks_small_shift) */
};

_Static_assert(offsetof(struct blocks_leaf, small) % 4096 == 0, "blocks_sweep takes pages of one plane");

struct blocks_table {
    struct blocks_leaf *leaves[1u << BLOCKS_TABLE_BITS]; /* (atomic) */
};

extern struct blocks_table *blocks_root[1u << BLOCKS_ROOT_BITS]; /* (atomic) */
/* Where small blocks are apart by 1 << shift bytes; what of an address (>> 4) tells two in one slot apart. */
extern uint32_t blocks_small_shift, blocks_small_tag, blocks_small_alignment;

enum blocks_put blocks_put_slowly(uintptr_t address, struct block block, struct block *old);
struct block blocks_remove_slowly(uintptr_t address);

static inline struct blocks_leaf *blocks_find_leaf(uintptr_t address) {
    uintptr_t at = address >> (BLOCKS_LEAF_BITS + BLOCKS_TABLE_BITS);
    /* A tagged pointer (aarch64) must not be taken for the address that its lower bits are. */
    if (__builtin_expect(at >= (uintptr_t)1 << BLOCKS_ROOT_BITS, 0))
        return NULL;
    struct blocks_table *table = __atomic_load_n(&blocks_root[at], __ATOMIC_ACQUIRE);
    if (__builtin_expect(table == NULL, 0))
        return NULL;
    at = address >> BLOCKS_LEAF_BITS & ((1u << BLOCKS_TABLE_BITS) - 1);
    return __atomic_load_n(&table->leaves[at], __ATOMIC_ACQUIRE);
}

static inline uint32_t *blocks_small_at(struct blocks_leaf *leaf, uintptr_t address) {
    return &leaf->small[(address & ((1u << BLOCKS_LEAF_BITS) - 1)) >> blocks_small_shift];
}

/* With exact slots the slot alone is the address. */
static inline uint32_t blocks_tag(uintptr_t address) {
    return (uint32_t)(address >> 4) & blocks_small_tag;
}

static inline struct block blocks_small(uint32_t entry) {
    return (struct block){entry >> BLOCKS_CELL_BITS & (BLOCKS_SMALL_LIMIT - 1), entry & BLOCKS_CELL_MASK};
}

/* Whether no block was put_counted in the page of the address. */
static inline bool blocks_none_near(uintptr_t address) {
    const struct blocks_leaf *leaf = blocks_find_leaf(address);
    uintptr_t page = (address & ((1u << BLOCKS_LEAF_BITS) - 1)) >> 12;
    return leaf == NULL || __atomic_load_n(&leaf->counts[page], __ATOMIC_RELAXED) == 0;
}

/* The place of a small block in an existing leaf, or null; and has its line of the cache fetched, since the
 * table is larger than any cache. */
static inline uint32_t *blocks_small_place(uintptr_t address, uint64_t size_bytes) {
    struct blocks_leaf *leaf = blocks_find_leaf(address);
    if (__builtin_expect(leaf == NULL || size_bytes >= BLOCKS_SMALL_LIMIT, 0))
        return NULL;
    uint32_t *place = blocks_small_at(leaf, address);
    __builtin_prefetch(place, 1);
    return place;
}

/* Enters a small block at its place. False: something else is still entered there. */
static inline bool blocks_put_small(uint32_t *place, uintptr_t address, struct block block) {
    if (__builtin_expect(__atomic_load_n(place, __ATOMIC_RELAXED) != 0, 0))
        return false;
    uint32_t now = blocks_tag(address) << 31 | (uint32_t)block.size_bytes << BLOCKS_CELL_BITS | block.cell;
    __atomic_store_n(place, now, __ATOMIC_RELAXED);
    return true;
}

static inline enum blocks_put blocks_put(uintptr_t address, struct block block, struct block *old) {
    uint32_t *place = blocks_small_place(address, block.size_bytes);
    if (__builtin_expect(place != NULL && blocks_put_small(place, address, block), 1))
        return BLOCKS_PUT;
    return blocks_put_slowly(address, block, old);
}

/* Takes a small block out of an existing leaf. Returns its entry, or 0: then blocks_remove_slowly knows more.
 */
static inline uint32_t blocks_remove_small(uintptr_t address) {
    struct blocks_leaf *leaf = blocks_find_leaf(address);
    if (__builtin_expect(leaf == NULL || (address & blocks_small_alignment) != 0, 0))
        return 0;
    uint32_t *entry = blocks_small_at(leaf, address), now = __atomic_load_n(entry, __ATOMIC_RELAXED);
    if (__builtin_expect(now == 0 || now >> 31 != blocks_tag(address), 0))
        return 0;
    __atomic_store_n(entry, 0, __ATOMIC_RELAXED);
    return now;
}

static inline struct block blocks_remove(uintptr_t address) {
    uint32_t entry = blocks_remove_small(address);
    return __builtin_expect(entry != 0, 1) ? blocks_small(entry) : blocks_remove_slowly(address);
}

#endif
