/* sample.h - which allocations are traced under HEAPTALLY_SAMPLE, and what a traced one stands for.
 *
 * Points are strewn over the bytes that a thread allocates, at distances that are exponentially distributed
 * with the mean R = HEAPTALLY_SAMPLE (a Poisson process). A block with a point in it is traced, so one of s
 * bytes is with probability p = 1 - exp(-s / R), and stands for 1 / p such blocks (Horvitz and Thompson,
 * 1952): sums over traced blocks are unbiased estimates. A block of 0 bytes is drawn as one of 1 byte.
 *
 * Counts must be whole, and what a free takes away must be what the allocation has added, though nothing but
 * a block's size is remembered. So 1 / p is rounded up or down by a hash of the block's address, up as often
 * as its fraction says: whole, without bias, and the same both times.
 *
 * Threads: any.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_SAMPLE_H
#define HEAPTALLY_SAMPLE_H

#include <stdint.h>

/* What a traced block adds. */
struct weight {
    uint64_t blocks, bytes;
    double bytes_variance, blocks_variance; /* of the estimates: s^2 (1 - p) / p^2 and (1 - p) / p^2 */
};

/* Mean distance of points in bytes, > 0; a secret for the rounding. Once, before the others. */
void sample_begin(uint64_t mean_bytes, uint64_t secret);

/* How many bytes a thread may allocate until the next point. *random: the thread's state, changed. */
int64_t sample_distance(uint64_t *random);

/* What a traced block of so many bytes at this address stands for. */
struct weight sample_weight(uint64_t size_bytes, uintptr_t address);

#endif
