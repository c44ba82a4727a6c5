/* details.h - what HEAPTALLY_DETAILS counts of a cell beyond its sums: the records of DETAILS.
 *
 * Owns:    the DETAILS region.   Holds: record i is written by the owner of cell i, while its sequence is
 * odd. Threads: each its own cells.  Signals: no (the caller's guard).  Heap: never. */
#ifndef HEAPTALLY_DETAILS_H
#define HEAPTALLY_DETAILS_H

#include <stdbool.h>
#include <stdint.h>

#include "../births.h"
#include "heaptally_format.h"

enum resizing { RESIZING_NONE, RESIZING_MOVED, RESIZING_GROWN, RESIZING_SHRUNK, RESIZING_KEPT };

/* What is known of an event beside its cell and size. */
struct happening {
    struct birth birth;     /* of the block; slot 0: not known */
    uint64_t now_ns;        /* since the epoch */
    uint64_t later;         /* of a free: allocations of the block's slot since its own */
    uint64_t copied_bytes;  /* of an allocation that is RESIZING_MOVED */
    enum resizing resizing; /* of an allocation: by a realloc */
};

/* The record of a cell, made touchable on its first event; null when there is no room. */
struct ht_detail *details_of(uint32_t cell);

/* The records of `count` cells begin anew: the cells are to serve other stacks. */
void details_clear(uint64_t first_cell, uint32_t count);

/* The share of the maximum that is being counted, as counters_note_peak, which follows. */
void details_note_peak(struct ht_detail *detail, const struct ht_cell *cell);

/* Counts an event. happening->birth.slot 0: only the size. */
void details_allocated(struct ht_detail *detail, uint64_t size_bytes, const struct happening *happening);
void details_freed(struct ht_detail *detail, uint64_t size_bytes, const struct happening *happening);

/* Counts an inherited block of a forked child. */
void details_inherit(struct ht_detail *detail, uint64_t size_bytes, const struct birth *birth);

/* Now, in ns since the epoch. */
uint64_t details_now(void);

/* In a forked child, whose region is empty. */
void details_after_fork(void);

#endif
