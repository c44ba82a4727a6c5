/* intervals.h - overlapping address ranges, flattened so that one binary search finds the innermost.
 *
 * Owns:    its arrays.   Threads: one at a time.   Heap: yes. */
#ifndef HEAPTALLY_SYMBOLS_INTERVALS_H
#define HEAPTALLY_SYMBOLS_INTERVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTERVALS_NONE 0xffffffffu

struct interval {
    uint64_t low, high; /* [low, high) */
    uint32_t rank;      /* of two equal ranges the greater rank lies on top */
    uint32_t value;     /* not INTERVALS_NONE */
};

struct interval_segment {
    uint64_t low; /* up to the next segment's low */
    uint32_t value;
};

/* Zero-initialised is empty. Filled by intervals_add, then flattened once, then searched. */
struct intervals {
    struct interval *items;
    size_t count, capacity;
    struct interval_segment *segments;
    size_t segment_count;
};

/* Empty ranges are ignored. False: out of memory. */
bool intervals_add(struct intervals *self, struct interval item);

/* Flattens: at any address the range that starts last wins; of those that start together the shortest.
 * Frees the items. False: out of memory, nothing will be found. */
bool intervals_flatten(struct intervals *self);

/* The value at `address`, or INTERVALS_NONE. */
uint32_t intervals_find(const struct intervals *self, uint64_t address);

void intervals_clear(struct intervals *self);

#endif
