/* sample.h - which allocations are traced under HEAPTALLY_SAMPLE, and what a traced one stands for.
 *
 * Points are strewn over the bytes that a thread allocates, at distances that are exponentially distributed
 * with the mean R = HEAPTALLY_SAMPLE (a Poisson process). A block with a point in it is traced, so one of s
 * bytes is with probability p = 1 - exp(-s / R), and stands for 1 / p such blocks (Horvitz and Thompson,
 * 1952): sums over traced blocks are unbiased estimates. A block of 0 bytes is drawn as one of 1 byte.
 *
 * Threads: any.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_SAMPLE_H
#define HEAPTALLY_SAMPLE_H

#include <stdint.h>

/* What a traced block adds; of its size alone, so that its free takes away the same. */
struct weight {
    uint64_t block_parts, byte_parts;       /* HT_SAMPLE_BLOCK / p, HT_SAMPLE_BYTE s / p */
    double bytes_variance, blocks_variance; /* of the estimates: s^2 (1 - p) / p^2 and (1 - p) / p^2 */
};

/* Mean distance of points in bytes, > 0. Once, before the others. */
void sample_begin(uint64_t mean_bytes);

/* How many bytes a thread may allocate until the next point. *random: the thread's state, changed. */
int64_t sample_distance(uint64_t *random);

/* What a traced block of so many bytes stands for. */
struct weight sample_weight(uint64_t size_bytes);

#endif
