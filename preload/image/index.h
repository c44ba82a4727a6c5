/* index.h - a lock-free index from a 64-bit hash to a record id: insert and look up, never remove.
 *
 * One open-addressed table; when it is four fifths full a copy that is larger by half takes its place, and
 * the old one's pages are given back: who still looks there finds nothing and looks again. An entry is the
 * upper half of the hash and the id in one word, so an insertion is one compare-and-swap.
 *
 * Holds:   an id in the index belongs to a published record.
 *          Equal keys have equal ids, but for one that is inserted in the very moment in which the table is
 *          copied: it may then get a second. Users must bear that (readers merge by hash).
 * Threads: any, lock-free.  Signals: safe.  Heap: never (arena). */
#ifndef HEAPTALLY_INDEX_H
#define HEAPTALLY_INDEX_H

#include <stdbool.h>
#include <stdint.h>

struct index_table;

struct index {
    struct index_table *table; /* (atomic) null at first */
};

/* Whether record `id` has the key. */
typedef bool index_same(uint32_t id, const void *key);

/* Returns the id of the key, or 0. */
uint32_t index_find(const struct index *self, uint64_t hash, index_same *same, const void *key);

/* Has the line of the cache fetched that a look-up will want. */
void index_prefetch(const struct index *self, uint64_t hash);

/* Enters id, whose record is published. Returns it, or the id that another thread has entered for the same
 * key meanwhile, or 0 when there is no memory. */
uint32_t index_insert(struct index *self, uint64_t hash, uint32_t id, index_same *same, const void *key);

#endif
