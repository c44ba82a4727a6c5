/* index.c - see index.h.
 * Memory orders: an entry is stored by a releasing compare-and-swap and loaded with acquire, so that who
 * finds an id sees its record. A level is published the same way through `newest`.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "index.h"

#include "../platform/arena.h"

#include <stddef.h>

#define FIRST_BITS 12u
#define LAST_BITS  30u
#define TAG_MASK   0xffffffff00000000u

struct index_level {
    struct index_level *older;
    uint32_t bits;
    uint32_t filled; /* (atomic) entries, a little more under races */
    uint64_t entries[];
};

static uint64_t spread(uint64_t hash) {
    return hash * 0x9E3779B97F4A7C15u; /* Fibonacci hashing, Knuth 6.4 */
}

/* Walks the probe sequence of one level: the id found, or 0 with *empty at the place for a new entry,
 * null if the level has none. */
static uint32_t probe(struct index_level *level, uint64_t hash, index_same *same, const void *key,
                      uint64_t **empty) {
    uint64_t mask = ((uint64_t)1 << level->bits) - 1, tag = hash & TAG_MASK;
    uint64_t at = spread(hash) >> (64 - level->bits);
    for (uint64_t i = 0; i <= mask; i++, at = (at + 1) & mask) {
        uint64_t entry = __atomic_load_n(&level->entries[at], __ATOMIC_ACQUIRE);
        *empty = &level->entries[at];
        if (entry == 0)
            return 0;
        if ((entry & TAG_MASK) == tag && same((uint32_t)entry, key))
            return (uint32_t)entry;
    }
    *empty = NULL;
    return 0;
}

static uint32_t find_from(struct index_level *level, uint64_t hash, index_same *same, const void *key) {
    uint64_t *empty;
    for (; level != NULL; level = level->older) {
        uint32_t id = probe(level, hash, same, key, &empty);
        if (id != 0)
            return id;
    }
    return 0;
}

uint32_t index_find(const struct index *self, uint64_t hash, index_same *same, const void *key) {
    return find_from(__atomic_load_n(&self->newest, __ATOMIC_ACQUIRE), hash, same, key);
}

/* The level to insert into: the newest, or one twice its size once that is three quarters full. */
static struct index_level *roomy_level(struct index *self) {
    struct index_level *level = __atomic_load_n(&self->newest, __ATOMIC_ACQUIRE);
    if (level != NULL && (level->bits >= LAST_BITS || __atomic_load_n(&level->filled, __ATOMIC_RELAXED) <
                                                          (3u << level->bits) / 4))
        return level;
    uint32_t bits = level != NULL ? level->bits + 1 : FIRST_BITS;
    struct index_level *fresh = arena_map(sizeof *fresh + (sizeof(uint64_t) << bits));
    if (fresh == NULL)
        return level; /* fuller than it should be, yet correct */
    fresh->older = level;
    fresh->bits = bits;
    /* A lost race wastes the fresh level, once per doubling: the arena takes nothing back. */
    return __atomic_compare_exchange_n(&self->newest, &level, fresh, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE)
               ? fresh
               : level;
}

uint32_t index_insert(struct index *self, uint64_t hash, uint32_t id, index_same *same, const void *key) {
    struct index_level *level = roomy_level(self);
    if (level == NULL)
        return 0;
    uint32_t known = find_from(level->older, hash, same, key);
    while (known == 0) {
        uint64_t *empty, expected = 0;
        known = probe(level, hash, same, key, &empty);
        if (known != 0 || empty == NULL)
            break;
        if (__atomic_compare_exchange_n(empty, &expected, (hash & TAG_MASK) | id, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED)) {
            __atomic_fetch_add(&level->filled, 1, __ATOMIC_RELAXED);
            return id;
        }
    }
    return known;
}
