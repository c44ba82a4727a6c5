/* tracked.c - see tracked.h.
 *
 * Open addressing in tables that never move: when the newest is three quarters full, one of four times its
 * size follows it, and look-ups ask all, the newest first. A place is
 *
 *   state   FREE -> TAKEN, by a compare-and-swap, for good; its key never changes then
 *   cell    0: no block. Whoever exchanges it for 0 owns the place's size until it stores a cell again
 *
 * So a key has one place per table, which serves whenever the key comes again: pools hand out the same
 * addresses over and over. A place whose block is gone is not given to another key, as a thread might still
 * be looking at it.
 *
 * Memory orders: TAKEN is published with release after the key, cell with release after the size; their
 * readers acquire. A process that is killed, or forks, between the two leaves a place without a block.
 *
 * Owns:    the tables.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "tracked.h"

#include "platform/arena.h"
#include "platform/sys.h"

#include <stddef.h>

#define TABLES     10u
#define FIRST_BITS 12u
#define PROBES     64u

enum { FREE, TAKING, TAKEN };

struct place {
    uint32_t state;  /* (atomic) */
    uint32_t domain; /* with address the key, once TAKEN */
    uintptr_t address;
    uint64_t size_bytes;
    uint32_t cell; /* (atomic) */
    uint32_t reserved;
};
_Static_assert(sizeof(struct place) == 32, "two places a line");

static struct place *tables[TABLES]; /* (atomic) table i has 1 << (FIRST_BITS + 2 * i) places */
static uint32_t table_count;         /* (atomic) those that are there */
static uint32_t used[TABLES];        /* (atomic) places that are taken */

static uint32_t bits_of(uint32_t table) {
    return FIRST_BITS + 2 * table;
}

static uint32_t first_place(uint32_t table, uint32_t domain, uintptr_t address) {
    uint64_t hash = (address ^ (uint64_t)domain << 48 ^ (uint64_t)domain >> 16) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
    return (uint32_t)(hash * 0xD6E8FEB86659FD93u >> (64 - bits_of(table)));
}

static struct place *place_at(uint32_t table, uint32_t first, uint32_t probe) {
    struct place *places = __atomic_load_n(&tables[table], __ATOMIC_ACQUIRE); /* partner: add_table */
    return places != NULL ? &places[(first + probe) & ((1u << bits_of(table)) - 1)] : NULL;
}

static bool is_of(const struct place *place, uint32_t domain, uintptr_t address) {
    return place->address == address && place->domain == domain;
}

/* The key's place in a table; null. */
static struct place *find_in(uint32_t table, uint32_t domain, uintptr_t address) {
    uint32_t first = first_place(table, domain, address);
    for (uint32_t i = 0; i < PROBES; i++) {
        struct place *place = place_at(table, first, i);
        uint32_t state = place != NULL ? __atomic_load_n(&place->state, __ATOMIC_ACQUIRE) : FREE;
        if (state == FREE)
            return NULL;
        if (state == TAKEN && is_of(place, domain, address))
            return place;
    }
    return NULL;
}

/* Takes a place for the key. Null: the table is full. */
static struct place *take_in(uint32_t table, uint32_t domain, uintptr_t address) {
    uint32_t first = first_place(table, domain, address);
    if (__atomic_load_n(&used[table], __ATOMIC_RELAXED) > 3u << (bits_of(table) - 2))
        return NULL;
    for (uint32_t i = 0; i < PROBES; i++) {
        struct place *place = place_at(table, first, i);
        uint32_t state = FREE;
        if (place == NULL)
            return NULL;
        if (!__atomic_compare_exchange_n(&place->state, &state, TAKING, false, __ATOMIC_ACQUIRE,
                                         __ATOMIC_ACQUIRE))
            continue;
        place->domain = domain;
        place->address = address;
        __atomic_store_n(&place->state, TAKEN, __ATOMIC_RELEASE); /* partner: find_in's acquire */
        __atomic_fetch_add(&used[table], 1, __ATOMIC_RELAXED);
        return place;
    }
    return NULL;
}

/* One more table behind the first `count`; false: no memory, or too many. */
static bool add_table(uint32_t count) {
    struct place *none = NULL;
    if (count == TABLES)
        return false;
    size_t bytes = sizeof(struct place) << bits_of(count);
    if (__atomic_load_n(&tables[count], __ATOMIC_ACQUIRE) == NULL) {
        struct place *fresh = arena_map(bytes);
        if (fresh == NULL)
            return false;
        /* release: partner of the acquire in place_at */
        if (!__atomic_compare_exchange_n(&tables[count], &none, fresh, false, __ATOMIC_RELEASE,
                                         __ATOMIC_RELAXED))
            sys_unmap(fresh, bytes);
    }
    uint32_t expected = count;
    __atomic_compare_exchange_n(&table_count, &expected, count + 1, false, __ATOMIC_RELEASE,
                                __ATOMIC_RELAXED);
    return true;
}

static struct place *find(uint32_t domain, uintptr_t address) {
    struct place *place = NULL;
    for (uint32_t i = __atomic_load_n(&table_count, __ATOMIC_ACQUIRE); i-- != 0 && place == NULL;)
        place = find_in(i, domain, address);
    return place;
}

static struct place *take(uint32_t domain, uintptr_t address) {
    for (;;) {
        uint32_t count = __atomic_load_n(&table_count, __ATOMIC_ACQUIRE);
        struct place *place = count != 0 ? take_in(count - 1, domain, address) : NULL;
        if (place != NULL || !add_table(count))
            return place;
    }
}

/* What a place held, which is the caller's now. */
static struct block take_out(struct place *place) {
    uint32_t cell =
        __atomic_exchange_n(&place->cell, 0, __ATOMIC_ACQUIRE); /* partner: tracked_put's release */
    return (struct block){cell != 0 ? place->size_bytes : 0, cell};
}

bool tracked_put(uint32_t domain, uintptr_t address, struct block block, struct block *old) {
    struct place *place = find(domain, address);
    *old = (struct block){0, 0};
    if (place == NULL)
        place = take(domain, address);
    if (place == NULL)
        return false;
    *old = take_out(place);
    place->size_bytes = block.size_bytes;
    __atomic_store_n(&place->cell, block.cell, __ATOMIC_RELEASE);
    return true;
}

struct block tracked_remove(uint32_t domain, uintptr_t address) {
    struct place *place = find(domain, address);
    return place != NULL ? take_out(place) : (struct block){0, 0};
}

void tracked_each(void (*visit)(uintptr_t address, struct block block)) {
    /* acquire: partner of add_table, whose table is there by then; others may track meanwhile */
    uint32_t count = __atomic_load_n(&table_count, __ATOMIC_ACQUIRE);
    for (uint32_t table = 0; table < count; table++)
        for (uint32_t i = 0; i < 1u << bits_of(table); i++) {
            const struct place *place = place_at(table, i, 0);
            bool taken = __atomic_load_n(&place->state, __ATOMIC_ACQUIRE) == TAKEN;
            uint32_t cell = taken ? __atomic_load_n(&place->cell, __ATOMIC_ACQUIRE) : 0;
            if (cell != 0)
                visit(place->address, (struct block){place->size_bytes, cell});
        }
}
