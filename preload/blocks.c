/* blocks.c - see blocks.h.
 *
 * Root (address >> 35) -> table (>> 22) -> leaf for 4 MiB of addresses, mapped lazily, with the planes
 *
 *   small   4 bytes per 32 bytes, sizes < 512:      tag 1 | size 9 | cell 22     tag: address bit 4
 *   exact   4 bytes per  8 bytes, sizes < 512:            size 9 | cell 22       instead of small
 *   medium  8 bytes per 512 bytes, 512 to 8191:     tag 6 | cell 26 | size 32    tag: address bits 3-8
 *   large   8 bytes per 8 KiB, from 8192:           tag 10 | cell 22 | size 32   tag: address bits 3-12
 *
 * Why an entry is never shared: blocks do not overlap, so at most one block of >= 512 bytes starts in an
 * aligned 512 bytes, and one of >= 8192 in 8 KiB; glibc's chunks are >= 32 bytes apart and their blocks
 * 16-aligned. Slot and tag together are the address, so what is found is the block asked for: small and
 * medium cannot both claim one address, since an address has one live block.
 *
 * Memory orders: entries are relaxed (blocks.h, Threads). Leaves and tables are published by a releasing
 * compare-and-swap and loaded with acquire.
 *
 * Pages are given back by blocks_sweep: what seems to be empty is moved away (mremap), so that an entry that
 * was put there meanwhile is in the moved page or, later, in the fresh one, and never lost; what is found in
 * the moved page is put back. Between the two a block may be missing; and one that was found in the old page
 * may be cleared in the fresh one, and be put back after that. So a remove looks whether
 * blocks_sweep_sequence was even and is the same as before it looked; else it looks again, until no sweep has
 * come between: the address is not given out again before.
 *
 * Most blocks go the short way of blocks.h, which each thread opens for a leaf by its first block there.
 * Other allocators' never do: it knows glibc's slots alone.
 *
 * Measured (design notes): 4 bytes of map a block of 24 bytes, 14 % of a heap of mixed sizes, 4 ns a pair.
 *
 * Owns:    the table.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "blocks.h"

#include "platform/arena.h"
#include "platform/sys.h"

#include <stddef.h>

#define LEAF_BITS   BLOCKS_LEAF_BITS
#define TABLE_BITS  BLOCKS_TABLE_BITS
#define ROOT_BITS   BLOCKS_ROOT_BITS
#define SMALL_LIMIT BLOCKS_SMALL_LIMIT
#define LARGE_LIMIT 8192u
#define SIZE_CUT    UINT32_MAX /* in an entry: the size is in the side list */

struct blocks_table *blocks_root[1u << ROOT_BITS];

/* Where small blocks are apart by 1 << shift bytes; what of an address (>> 4) tells two in one slot apart. */
static uint32_t small_shift = BLOCKS_SMALL_SHIFT, small_tag = 1, small_alignment = 15;

void blocks_exact(void) {
    small_shift = 3;
    small_tag = 0;
    small_alignment = 7;
}

uint32_t blocks_small_shift(void) {
    return small_shift;
}

static uint32_t *small_at(struct blocks_leaf *leaf, uintptr_t address) {
    return &leaf->small[(address & ((1u << LEAF_BITS) - 1)) >> small_shift];
}

/* With exact slots the slot alone is the address. */
static uint32_t tag_of(uintptr_t address) {
    return (uint32_t)(address >> 4) & small_tag;
}

static struct block small_block(uint32_t entry) {
    return (struct block){entry >> BLOCKS_CELL_BITS & (SMALL_LIMIT - 1), entry & BLOCKS_CELL_MASK};
}

/* ---- sizes from 4 GiB - 1 on ---- */

#define HUGE_MAX 256u

static struct {
    uintptr_t address; /* (atomic) 0: free */
    uint64_t size_bytes;
} huge[HUGE_MAX];
static uint64_t clipped;

static void put_huge(uintptr_t address, uint64_t size_bytes) {
    for (uint32_t i = 0; i < HUGE_MAX; i++) {
        uintptr_t none = 0;
        /* acquire: partner of the release in huge_size, whose thread has read the size before */
        if (__atomic_compare_exchange_n(&huge[i].address, &none, address, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            huge[i].size_bytes = size_bytes;
            return;
        }
    }
    __atomic_fetch_add(&clipped, 1, __ATOMIC_RELAXED);
}

static uint64_t huge_size(uintptr_t address, bool remove) {
    for (uint32_t i = 0; i < HUGE_MAX; i++)
        if (__atomic_load_n(&huge[i].address, __ATOMIC_RELAXED) == address) {
            uint64_t size_bytes = huge[i].size_bytes;
            if (remove)
                __atomic_store_n(&huge[i].address, 0, __ATOMIC_RELEASE);
            return size_bytes;
        }
    return SIZE_CUT;
}

uint64_t blocks_clipped(void) {
    return __atomic_load_n(&clipped, __ATOMIC_RELAXED);
}

/* ---- leaves ---- */

static size_t leaf_bytes(void) {
    return sizeof(struct blocks_leaf) + (sizeof(uint32_t) << (LEAF_BITS - small_shift));
}

/* Publishes `fresh` in an empty place, or takes what another thread has put there. */
static void *publish(void **place, void *fresh, size_t bytes) {
    void *present = NULL;
    if (fresh == NULL ||
        __atomic_compare_exchange_n(place, &present, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return fresh;
    sys_unmap(fresh, bytes);
    return present;
}

static struct blocks_leaf *make_leaf(uintptr_t address) {
    uintptr_t at = address >> (LEAF_BITS + TABLE_BITS);
    if (at >= (uintptr_t)1 << ROOT_BITS)
        return NULL;
    struct blocks_table **place = &blocks_root[at];
    struct blocks_table *table = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (table == NULL)
        table = publish((void **)place, arena_map(sizeof *table), sizeof *table);
    if (table == NULL)
        return NULL;
    struct blocks_leaf **leaf = &table->leaves[address >> LEAF_BITS & ((1u << TABLE_BITS) - 1)];
    return publish((void **)leaf, arena_map(leaf_bytes()), leaf_bytes());
}

void blocks_near_note(struct blocks_near *near, uintptr_t address) {
    uintptr_t at = address >> LEAF_BITS;
    struct blocks_leaf *leaf = blocks_find_leaf(address);
    if (leaf == NULL || small_shift != BLOCKS_SMALL_SHIFT || near->leaves[at % BLOCKS_NEAR].at == at)
        return;
    near->leaves[at % BLOCKS_NEAR].at = UINTPTR_MAX; /* a handler on top of this may never come back here */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    near->leaves[at % BLOCKS_NEAR].leaf = leaf;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    near->leaves[at % BLOCKS_NEAR].at = at;
}

/* ---- entries ---- */

static uintptr_t offset_of(uintptr_t address) {
    return address & ((1u << LEAF_BITS) - 1);
}

static uint64_t *medium_at(struct blocks_leaf *leaf, uintptr_t address) {
    return &leaf->medium[offset_of(address) >> 9];
}

static uint64_t *large_at(struct blocks_leaf *leaf, uintptr_t address) {
    return &leaf->large[offset_of(address) >> 13];
}

static uint64_t medium_tag(uintptr_t address) {
    return address >> 3 & 0x3f;
}

static uint64_t large_tag(uintptr_t address) {
    return address >> 3 & 0x3ff;
}

static struct block wide_block(uint64_t entry, uintptr_t address, bool remove) {
    uint64_t size_bytes = (uint32_t)entry;
    if (size_bytes == SIZE_CUT)
        size_bytes = huge_size(address, remove);
    return (struct block){size_bytes, (uint32_t)(entry >> 32) & BLOCKS_CELL_MASK};
}

/* ---- put ---- */

static enum blocks_put put_small(struct blocks_leaf *leaf, uintptr_t address, struct block block,
                                 struct block *old) {
    uint32_t *entry = small_at(leaf, address), before = __atomic_load_n(entry, __ATOMIC_RELAXED);
    uint32_t now = tag_of(address) << 31 | (uint32_t)block.size_bytes << BLOCKS_CELL_BITS | block.cell;
    __atomic_store_n(entry, now, __ATOMIC_RELAXED);
    *old = small_block(before);
    return before != 0 ? BLOCKS_REPLACED : BLOCKS_PUT;
}

static enum blocks_put put_wide(uint64_t *entry, uint64_t tag, uintptr_t address, struct block block,
                                struct block *old) {
    uint64_t before = __atomic_load_n(entry, __ATOMIC_RELAXED);
    uint64_t size = block.size_bytes;
    if (before != 0)
        *old = wide_block(before, address, true);
    if (size >= SIZE_CUT) {
        put_huge(address, size);
        size = SIZE_CUT;
    }
    __atomic_store_n(entry, tag | (uint64_t)block.cell << 32 | size, __ATOMIC_RELAXED);
    return before != 0 ? BLOCKS_REPLACED : BLOCKS_PUT;
}

enum blocks_put blocks_put(uintptr_t address, struct block block, struct block *old) {
    struct blocks_leaf *leaf = blocks_find_leaf(address);
    if (leaf == NULL && (leaf = make_leaf(address)) == NULL)
        return BLOCKS_FULL;
    if (block.size_bytes < SMALL_LIMIT)
        return put_small(leaf, address, block, old);
    if (block.size_bytes < LARGE_LIMIT)
        return put_wide(medium_at(leaf, address), medium_tag(address) << 58, address, block, old);
    return put_wide(large_at(leaf, address), large_tag(address) << 54, address, block, old);
}

/* ---- find and remove ---- */

static struct block find_wide(struct blocks_leaf *leaf, uintptr_t address, bool remove) {
    uint64_t *entry = medium_at(leaf, address), now = __atomic_load_n(entry, __ATOMIC_RELAXED);
    if (now == 0 || now >> 58 != medium_tag(address)) {
        entry = large_at(leaf, address);
        now = __atomic_load_n(entry, __ATOMIC_RELAXED);
        if (now == 0 || now >> 54 != large_tag(address))
            return (struct block){0, 0};
    }
    struct block block = wide_block(now, address, remove);
    if (remove)
        __atomic_store_n(entry, 0, __ATOMIC_RELAXED);
    return block;
}

static struct block find(uintptr_t address, bool remove) {
    struct blocks_leaf *leaf = blocks_find_leaf(address);
    if (leaf == NULL || (address & small_alignment) != 0)
        return (struct block){0, 0};
    uint32_t *entry = small_at(leaf, address), now = __atomic_load_n(entry, __ATOMIC_RELAXED);
    if (now == 0 || now >> 31 != tag_of(address))
        return find_wide(leaf, address, remove);
    if (remove)
        __atomic_store_n(entry, 0, __ATOMIC_RELAXED);
    return small_block(now);
}

uint32_t blocks_sweep_sequence;
static __thread bool sweeping_here; /* this thread is */

/* Looks. A sweep takes microseconds, unless its thread has been put to sleep: then let it run. A handler on
 * top of the sweep itself cannot wait for it: it looks in vain, and its free counts as unmatched. */
#define SWEEP_PATIENCE 3000u
#define SWEEP_SPINS    200u

static void relax(uint32_t turn) {
    if (turn >= SWEEP_SPINS)
        sys_yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Finds a block, and removes it if it is told to, in a table that no sweep has changed meanwhile. What it
 * finds again is what it has removed, put back. */
static struct block find_settled(uintptr_t address, bool remove) {
    struct block found = {0, 0};
    for (uint32_t i = 0;; i++) {
        /* acquire: partner of the releases in take_away, whose pages are then gone from the table, or back */
        uint32_t before = __atomic_load_n(&blocks_sweep_sequence, __ATOMIC_ACQUIRE);
        struct block block = find(address, remove);
        if (found.cell == 0)
            found = block;
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the entry is read before the sequence */
        if (!blocks_swept_since(before) || i == SWEEP_PATIENCE || sweeping_here)
            return found;
        relax(i);
    }
}

struct block blocks_remove(uintptr_t address) {
    return find_settled(address, true);
}

struct block blocks_find(uintptr_t address) {
    return find_settled(address, false);
}

bool blocks_known(uintptr_t address) {
    return find_settled(address, false).cell != 0;
}

/* ---- all ---- */

static void visit_leaf(const struct blocks_leaf *leaf, uintptr_t base,
                       void (*visit)(uintptr_t, struct block)) {
    for (uintptr_t i = 0; i < 1u << (LEAF_BITS - small_shift); i++) {
        uint32_t entry = __atomic_load_n(&leaf->small[i], __ATOMIC_RELAXED);
        if (entry != 0)
            visit(base + (i << small_shift) + (entry >> 31 << 4), small_block(entry));
    }
    for (uintptr_t i = 0; i < 1u << (LEAF_BITS - 9); i++) {
        uint64_t entry = __atomic_load_n(&leaf->medium[i], __ATOMIC_RELAXED);
        uintptr_t address = base + (i << 9) + (entry >> 58 << 3);
        if (entry != 0)
            visit(address, wide_block(entry, address, false));
    }
    for (uintptr_t i = 0; i < 1u << (LEAF_BITS - 13); i++) {
        uint64_t entry = __atomic_load_n(&leaf->large[i], __ATOMIC_RELAXED);
        uintptr_t address = base + (i << 13) + (entry >> 54 << 3);
        if (entry != 0)
            visit(address, wide_block(entry, address, false));
    }
}

void blocks_each(void (*visit)(uintptr_t address, struct block block)) {
    for (uintptr_t r = 0; r < 1u << ROOT_BITS; r++)
        for (uintptr_t t = 0; blocks_root[r] != NULL && t < 1u << TABLE_BITS; t++)
            if (blocks_root[r]->leaves[t] != NULL)
                visit_leaf(blocks_root[r]->leaves[t], (r << TABLE_BITS | t) << LEAF_BITS, visit);
}

/* ---- giving pages back ---- */

#define PAGE 4096u

static uint32_t sweeping; /* (atomic) a thread is */
static uint32_t sweep_at; /* of the sweeper: the leaf that comes next, by address >> LEAF_BITS */

static bool is_empty(const char *page) {
    const uint64_t *words = (const uint64_t *)(const void *)page;
    for (size_t i = 0; i < PAGE / sizeof *words; i += 8) {
        uint64_t any = 0;
        for (size_t k = 0; k < 8; k++)
            any |= __atomic_load_n(&words[i + k], __ATOMIC_RELAXED);
        if (any != 0)
            return false;
    }
    return true;
}

/* What has been taken away. Of the sweeper; for the child of a fork in the middle of it. */
static struct {
    struct blocks_leaf *leaf;
    char *at, *moved; /* moved: null while there is nothing to be put back */
    size_t bytes;
} away;

/* Entries of a page that were put while it was on the way. Who has entered another block there meanwhile
 * freed the first in vain (find_settled), and knows better. */
static void put_back_small(char *at, const char *moved) {
    for (size_t i = 0; i < PAGE; i += sizeof(uint32_t)) {
        uint32_t entry = *(const uint32_t *)(const void *)(moved + i), none = 0;
        if (entry != 0)
            __atomic_compare_exchange_n((uint32_t *)(void *)(at + i), &none, entry, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED);
    }
}

static void put_back_wide(char *at, const char *moved) {
    for (size_t i = 0; i < PAGE; i += sizeof(uint64_t)) {
        uint64_t entry = *(const uint64_t *)(const void *)(moved + i), none = 0;
        if (entry != 0)
            __atomic_compare_exchange_n((uint64_t *)(void *)(at + i), &none, entry, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED);
    }
}

static void put_back(void) {
    for (size_t i = 0; i < away.bytes; i += PAGE) {
        if (is_empty(away.moved + i)) /* nearly always, and soon seen */
            continue;
        if (away.at >= (char *)away.leaf->small)
            put_back_small(away.at + i, away.moved + i);
        else
            put_back_wide(away.at + i, away.moved + i);
    }
}

static void take_away(struct blocks_leaf *leaf, char *at, size_t bytes) {
    /* acq_rel, here and below: partner of the acquire loads in removes; what was put back is there */
    uint32_t odd = __atomic_add_fetch(&blocks_sweep_sequence, 1, __ATOMIC_ACQ_REL);
    away.leaf = leaf;
    away.at = at;
    away.bytes = bytes;
    char *moved = away.moved = sys_move_pages(at, bytes);
    if (moved != NULL)
        put_back();
    away.moved = NULL;
    __atomic_store_n(&blocks_sweep_sequence, odd + 1, __ATOMIC_RELEASE);
    if (moved != NULL)
        sys_unmap(moved, bytes);
}

/* Runs of empty pages of one plane. Reading a page that is not there costs no memory, and no fault where all
 * are mapped at once; asking which are there would be a system call that few programs make: a filter might
 * not let it pass. */
static void sweep_leaf(struct blocks_leaf *leaf) {
    size_t pages = leaf_bytes() / PAGE, small = offsetof(struct blocks_leaf, small) / PAGE;
    char *base = (char *)leaf;
    sys_advise(base, pages * PAGE, MADV_POPULATE_READ); /* before Linux 5.14 each is a fault */
    for (size_t i = 0; i < pages; i++) {
        size_t plane_end = i < small ? small : pages, end = i;
        while (end < plane_end && is_empty(base + end * PAGE))
            end++;
        if (end != i)
            take_away(leaf, base + i * PAGE, (end - i) * PAGE);
        i = end != i ? end - 1 : i;
    }
}

/* The next leaf there is, or null at the end of the table. */
static struct blocks_leaf *next_leaf(void) {
    for (; sweep_at < 1u << (ROOT_BITS + TABLE_BITS); sweep_at++) {
        struct blocks_table *table = __atomic_load_n(&blocks_root[sweep_at >> TABLE_BITS], __ATOMIC_ACQUIRE);
        if (table == NULL)
            sweep_at |= (1u << TABLE_BITS) - 1;
        else if (__atomic_load_n(&table->leaves[sweep_at & ((1u << TABLE_BITS) - 1)], __ATOMIC_ACQUIRE) !=
                 NULL)
            return __atomic_load_n(&table->leaves[sweep_at++ & ((1u << TABLE_BITS) - 1)], __ATOMIC_ACQUIRE);
    }
    return NULL;
}

bool blocks_sweep(uint32_t leaves) {
    if (sys_page_bytes() != PAGE) /* larger ones are seldom empty, and straddle planes */
        return true;
    struct blocks_leaf *leaf = NULL;
    if (__atomic_exchange_n(&sweeping, 1, __ATOMIC_ACQUIRE) != 0)
        return false;
    sweeping_here = true;
    while (leaves-- != 0 && (leaf = next_leaf()) != NULL)
        sweep_leaf(leaf);
    if (leaf == NULL)
        sweep_at = 0;
    sweeping_here = false;
    __atomic_store_n(&sweeping, 0, __ATOMIC_RELEASE);
    return leaf == NULL;
}

bool blocks_each_now(void (*visit)(uintptr_t address, struct block block)) {
    if (__atomic_exchange_n(&sweeping, 1, __ATOMIC_ACQUIRE) != 0)
        return false;
    sweeping_here = true;
    blocks_each(visit);
    sweeping_here = false;
    __atomic_store_n(&sweeping, 0, __ATOMIC_RELEASE);
    return true;
}

/* Does what is left of a sweep whose thread will not go on. The moved pages stay mapped: nobody wrote down
 * where they are if that thread had not come to it yet; then what was put there is lost, too. */
static void end_sweep(void) {
    if (away.moved != NULL)
        put_back();
    away.moved = NULL;
    __atomic_store_n(&blocks_sweep_sequence, (blocks_sweep_sequence + 1) & ~1u, __ATOMIC_RELEASE);
    __atomic_store_n(&sweeping, 0, __ATOMIC_RELEASE);
}

void blocks_after_fork(void) {
    if (!sweeping_here) /* a handler on top of it forked: it goes on here */
        end_sweep();
}

void blocks_abandoned(void) {
    if (!sweeping_here)
        return;
    sweeping_here = false;
    end_sweep();
}

/* ---- few blocks ---- */

static void count_in_page(uintptr_t address, int by) {
    struct blocks_leaf *leaf = blocks_find_leaf(address);
    uint16_t *count = &leaf->counts[offset_of(address) >> 12];
    __atomic_fetch_add(count, (uint16_t)by,
                       __ATOMIC_RELAXED); /* ordered as the entry is (blocks.h, Threads) */
}

enum blocks_put blocks_put_counted(uintptr_t address, struct block block, struct block *old) {
    enum blocks_put put = blocks_put(address, block, old);
    if (put == BLOCKS_PUT)
        count_in_page(address, 1);
    return put;
}

struct block blocks_remove_counted(uintptr_t address) {
    struct block block = blocks_none_near(address) ? (struct block){0, 0} : blocks_remove(address);
    if (block.cell != 0)
        count_in_page(address, -1);
    return block;
}
