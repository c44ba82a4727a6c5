/* index.c - see index.h.
 * Memory orders: an entry is stored by a releasing compare-and-swap and loaded with acquire, so that who
 * finds an id sees its record. A table is published the same way.
 * Measured: one cache miss a look-up; with levels that were searched one after the other it was five where
 * nearly every stack is new.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "index.h"

#include "../platform/arena.h"
#include "../platform/sys.h"

#include <stddef.h>
#include <sys/mman.h>

#ifndef FIRST_SIZE
#define FIRST_SIZE 4096u /* tests/model has it grow sooner */
#endif
#define LAST_SIZE (1u << 28)
#define TAG_MASK  0xffffffff00000000u
#define PAGE      ((uintptr_t)65536) /* of every machine a multiple */

struct index_table {
    uint32_t size;   /* places */
    uint32_t filled; /* (atomic) entries */
    uint64_t entries[];
};

/* By the upper half alone, which an entry keeps: so a copy needs no record. Scattered by Fibonacci hashing
 * (Knuth 6.4), then scaled, since sizes are no powers of two. */
static uint64_t place(uint64_t entry, uint32_t size) {
    return (uint64_t)((uint32_t)(entry >> 32) * 0x9E3779B9u) * size >> 32;
}

static uint64_t after(uint64_t place, uint32_t size) {
    return place + 1 != size ? place + 1 : 0;
}

static size_t table_bytes(uint32_t size) {
    return sizeof(struct index_table) + sizeof(uint64_t) * size;
}

/* Walks the probe sequence: the id found, or 0 with *empty at the place for a new entry, null if there is
 * none. */
static uint32_t probe(struct index_table *table, uint64_t hash, index_same *same, const void *key,
                      uint64_t **empty) {
    uint64_t at = place(hash, table->size);
    for (uint32_t i = 0; i < table->size; i++, at = after(at, table->size)) {
        uint64_t entry = __atomic_load_n(&table->entries[at], __ATOMIC_ACQUIRE);
        *empty = &table->entries[at];
        if (entry == 0)
            return 0;
        if (((entry ^ hash) & TAG_MASK) == 0 && same((uint32_t)entry, key))
            return (uint32_t)entry;
    }
    *empty = NULL;
    return 0;
}

uint32_t index_find(const struct index *self, uint64_t hash, index_same *same, const void *key) {
    struct index_table *table = __atomic_load_n(&self->table, __ATOMIC_ACQUIRE);
    uint64_t *empty;
    return table != NULL ? probe(table, hash, same, key, &empty) : 0;
}

void index_prefetch(const struct index *self, uint64_t hash) {
    const struct index_table *table = __atomic_load_n(&self->table, __ATOMIC_ACQUIRE);
    if (table != NULL)
        __builtin_prefetch(&table->entries[place(hash, table->size)]);
}

/* ---- growing ---- */

static void copy_entries(struct index_table *to, struct index_table *from) {
    for (uint32_t i = 0; i < from->size; i++) {
        uint64_t entry = __atomic_load_n(&from->entries[i], __ATOMIC_ACQUIRE);
        if (entry == 0)
            continue;
        uint64_t at = place(entry, to->size);
        while (to->entries[at] != 0)
            at = after(at, to->size);
        to->entries[at] = entry;
        to->filled++;
    }
}

static void give_back(struct index_table *old) {
    uintptr_t from = ((uintptr_t)old + sizeof *old + PAGE - 1) & ~(PAGE - 1);
    uintptr_t to = ((uintptr_t)old + table_bytes(old->size)) & ~(PAGE - 1);
    if (to > from)
        sys_advise((void *)from, to - from, MADV_DONTNEED);
}

/* Puts a table that is larger by half in place of `old`, which may be null. */
static struct index_table *grow(struct index *self, struct index_table *old) {
    uint32_t size = old != NULL ? old->size + old->size / 2 : FIRST_SIZE;
    struct index_table *fresh = arena_map(table_bytes(size));
    if (fresh == NULL)
        return old; /* fuller than it should be, yet correct */
    fresh->size = size;
    if (old != NULL)
        copy_entries(fresh, old);
    struct index_table *present = old;
    if (__atomic_compare_exchange_n(&self->table, &present, fresh, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        if (old != NULL)
            give_back(old);
        return fresh;
    }
    sys_unmap(fresh, table_bytes(size));
    return present;
}

static struct index_table *roomy_table(struct index *self) {
    struct index_table *table = __atomic_load_n(&self->table, __ATOMIC_ACQUIRE);
    if (table != NULL &&
        (table->size >= LAST_SIZE || __atomic_load_n(&table->filled, __ATOMIC_RELAXED) < table->size / 5 * 4))
        return table;
    return grow(self, table);
}

uint32_t index_insert(struct index *self, uint64_t hash, uint32_t id, index_same *same, const void *key) {
    for (;;) {
        struct index_table *table = roomy_table(self);
        uint64_t *empty, expected = 0;
        uint32_t known = table != NULL ? probe(table, hash, same, key, &empty) : 0;
        if (table == NULL || (known == 0 && empty == NULL))
            return 0;
        if (known == 0 && !__atomic_compare_exchange_n(empty, &expected, (hash & TAG_MASK) | id, false,
                                                       __ATOMIC_RELEASE, __ATOMIC_RELAXED))
            continue;
        if (known == 0)
            __atomic_fetch_add(&table->filled, 1, __ATOMIC_RELAXED);
        /* A copy made meanwhile may have missed the entry: enter it there too. */
        if (table == __atomic_load_n(&self->table, __ATOMIC_ACQUIRE))
            return known != 0 ? known : id;
        id = known != 0 ? known : id;
    }
}
