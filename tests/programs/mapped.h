/* mapped.h - a fixture's own account of its mappings, on top of ledger.h.
 *
 * A map holds spans of addresses, each with the line that mapped it, in order and one by one: what the tracer
 * does with a tree, done the plain way. A span that is cut in two is a block more, one that is gone a block
 * less.
 *
 * Threads: one map each; a map may change hands.  Heap: never. */
#ifndef MAPPED_H
#define MAPPED_H

#include "ledger.h"

#include <stdint.h>

enum { SPANS = 4096 };

struct span {
    uintptr_t start, end;
    int line;
};

struct map {
    struct span spans[SPANS];
    size_t count;
    const char *file;
};

/* [start, start + bytes) was mapped, by a line of the map's file, or unmapped. */
void map_add(struct map *map, uintptr_t start, size_t bytes, int line);
void map_remove(struct map *map, uintptr_t start, size_t bytes);

#endif
