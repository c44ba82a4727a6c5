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

/* Small blocks start at least 1 << this bytes apart. */
uint32_t blocks_small_shift(void);

/* Enters a block. On BLOCKS_REPLACED, *old is the earlier one. */
enum blocks_put blocks_put(uintptr_t address, struct block block, struct block *old);

/* Removes a block and returns what it was; cell 0 if there is none. */
struct block blocks_remove(uintptr_t address);

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

/* In a forked child: another thread of the parent may have been sweeping; what it had moved away is put back.
 */
void blocks_after_fork(void);

/* A handler has jumped out of whatever this thread did in the table: ends a sweep of its. */
void blocks_abandoned(void);

/* Where few blocks are entered: as blocks_put and blocks_remove, and keeps count of them by page, so that
 * blocks_none_near can tell soon that an address has none. */
enum blocks_put blocks_put_counted(uintptr_t address, struct block block, struct block *old);
struct block blocks_remove_counted(uintptr_t address);

/* ---- inline, since it is done for every event ---- */

#define BLOCKS_LEAF_BITS   22u
#define BLOCKS_TABLE_BITS  13u
#define BLOCKS_ROOT_BITS   13u
#define BLOCKS_SMALL_LIMIT 512u
#define BLOCKS_SMALL_SHIFT 5u /* of glibc's blocks, see blocks_exact */
#define BLOCKS_CELL_MASK   ((1u << BLOCKS_CELL_BITS) - 1)

struct blocks_leaf {
    uint64_t medium[1u << (BLOCKS_LEAF_BITS - 9)];
    uint64_t large[1u << (BLOCKS_LEAF_BITS - 13)];
    uint16_t counts[2048]; /* (atomic) blocks_put_counted, by page: 1024; what follows begins a page */
    uint32_t small[];      /* 1 << (BLOCKS_LEAF_BITS - BLOCKS_SMALL_SHIFT), or as many exact ones */
};

_Static_assert(offsetof(struct blocks_leaf, small) % 4096 == 0, "blocks_sweep takes pages of one plane");

struct blocks_table {
    struct blocks_leaf *leaves[1u << BLOCKS_TABLE_BITS]; /* (atomic) */
};

extern struct blocks_table *blocks_root[1u << BLOCKS_ROOT_BITS]; /* (atomic) */

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

extern uint32_t blocks_sweep_sequence; /* (atomic) odd while pages are away */

/* Whether pages were away at some moment since the sequence was `before`: then what was found may be stale.
 */
static inline bool blocks_swept_since(uint32_t before) {
    /* What was done to the entry precedes this load. For the compiler only: pages are moved by a call that
     * waits until no processor knows the old place, so who sees the entry gone sees the odd sequence. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return __builtin_expect((before & ~1u) != __atomic_load_n(&blocks_sweep_sequence, __ATOMIC_RELAXED), 0);
}

/* Whether no block was put_counted in the page of the address. */
static inline bool blocks_none_near(uintptr_t address) {
    const struct blocks_leaf *leaf = blocks_find_leaf(address);
    uintptr_t page = (address & ((1u << BLOCKS_LEAF_BITS) - 1)) >> 12;
    return leaf == NULL || __atomic_load_n(&leaf->counts[page], __ATOMIC_RELAXED) == 0;
}

/* ---- the short way, for blocks below 512 bytes of glibc's, in a leaf that the thread has used ----
 *
 * Leaves stay for ever, so what a thread keeps of them holds for ever. */

#define BLOCKS_NEAR 64u /* leaves: 256 MiB in a row */

struct blocks_near {
    struct {
        uintptr_t at; /* address >> BLOCKS_LEAF_BITS */
        struct blocks_leaf *leaf;
    } leaves[BLOCKS_NEAR];
};

/* Makes a zeroed one empty. */
static inline void blocks_near_open(struct blocks_near *near) {
    near->leaves[0].at = UINTPTR_MAX; /* in other places 0 is no address's */
}

/* Notes the leaf of an address, if the short way is one for it. */
void blocks_near_note(struct blocks_near *near, uintptr_t address);

/* The place of a small block, or null: go by blocks_put or blocks_remove. */
static inline uint32_t *blocks_near_place(const struct blocks_near *near, uintptr_t address) {
    uintptr_t at = address >> BLOCKS_LEAF_BITS;
    if (__builtin_expect(near->leaves[at % BLOCKS_NEAR].at != at, 0))
        return NULL;
    uintptr_t slot = (address & ((1u << BLOCKS_LEAF_BITS) - 1)) >> BLOCKS_SMALL_SHIFT;
    return &near->leaves[at % BLOCKS_NEAR].leaf->small[slot];
}

/* Bit 4 of an address that is a multiple of 16, where a small entry has it. */
static inline uint32_t blocks_near_tag(uintptr_t address) {
    return (uint32_t)address << 27;
}

/* Enters a block of less than BLOCKS_SMALL_LIMIT bytes at its place. False: something else is still entered
 * there. */
static inline bool blocks_near_put(uint32_t *place, uintptr_t address, struct block block) {
    if (__builtin_expect(__atomic_load_n(place, __ATOMIC_RELAXED) != 0, 0))
        return false;
    uint32_t now = blocks_near_tag(address) | (uint32_t)block.size_bytes << BLOCKS_CELL_BITS | block.cell;
    __atomic_store_n(place, now, __ATOMIC_RELAXED);
    return true;
}

/* Takes a small block out. False: blocks_remove knows more. */
static inline bool blocks_near_remove(const struct blocks_near *near, uintptr_t address,
                                      struct block *block) {
    uint32_t *place = blocks_near_place(near, address);
    if (__builtin_expect(place == NULL || address % 16 != 0, 0))
        return false;
    __builtin_prefetch(place, 1); /* its line may be on the processor of who allocated it */
    /* acquire: partner of the releases in take_away (blocks.c) */
    uint32_t before = __atomic_load_n(&blocks_sweep_sequence, __ATOMIC_ACQUIRE);
    uint32_t entry = __atomic_load_n(place, __ATOMIC_RELAXED) ^ blocks_near_tag(address);
    /* 0 or bit 31: the place is empty; above: another block's, of the other tag */
    if (__builtin_expect(entry - 1 >= ((uint32_t)1 << 31) - 1, 0))
        return false;
    __atomic_store_n(place, 0, __ATOMIC_RELAXED);
    if (blocks_swept_since(before)) { /* its page may have gone between the two, and a sweep puts it back */
        __atomic_store_n(place, entry ^ blocks_near_tag(address), __ATOMIC_RELAXED); /* it lives until now */
        return false;
    }
    *block = (struct block){entry >> BLOCKS_CELL_BITS, entry & BLOCKS_CELL_MASK};
    return true;
}

#endif
