/* variances.c - see variances.h.
 * Owns:    nothing.
 * Holds:   no sum of 2^32 cells leaves the range of double.
 * Threads: any.  Signals: no.  Heap: no. */
#include "variances.h"

#include <math.h>

/* A traced block adds less than the square of the mean distance, 2^72 bytes^2, and there are not 2^64. */
#define LARGEST 0x1p136

static double sane(double variance) {
    return fabs(variance) <= LARGEST ? variance : 0; /* false of NaN */
}

/* Of sums that never sink. */
static double sum(double variance) {
    return variance > 0 ? sane(variance) : 0;
}

/* The record of a cell; null if there is none. */
static const struct ht_sample *sample_of(const struct tables *tables, uint32_t id) {
    const struct records *samples = &tables->region[HT_REGION_SAMPLES];
    return id < samples->count ? (const struct ht_sample *)samples->at + id : NULL;
}

struct variances variances_of_cell(const struct tables *tables, uint32_t id) {
    const struct ht_sample *sample = sample_of(tables, id);
    if (sample == NULL)
        return (struct variances){0};
    struct variances self = {.allocated_bytes = sum(sample->allocated_bytes_variance),
                             .allocations = sum(sample->allocated_blocks_variance),
                             .freed_bytes = sum(sample->freed_bytes_variance),
                             .frees = sum(sample->freed_blocks_variance)};
    bool kept = tables_cells(tables)[id].peak_sequence == (uint32_t)tables->header.totals.peak_sequence;
    self.live_bytes = self.allocated_bytes - self.freed_bytes;
    self.live_blocks = self.allocations - self.frees;
    self.peak_bytes = kept ? sane(sample->peak_bytes_variance) : self.live_bytes;
    self.peak_blocks = kept ? sane(sample->peak_blocks_variance) : self.live_blocks;
    return self;
}

void variances_add(struct variances *to, const struct variances *from) {
    to->live_bytes += from->live_bytes;
    to->live_blocks += from->live_blocks;
    to->peak_bytes += from->peak_bytes;
    to->peak_blocks += from->peak_blocks;
    to->allocated_bytes += from->allocated_bytes;
    to->allocations += from->allocations;
    to->freed_bytes += from->freed_bytes;
    to->frees += from->frees;
}

double variances_error(double variance) {
    return variance > 0 ? sqrt(variance) : 0;
}

struct variances_traced variances_sum_traced(const struct tables *tables) {
    const struct ht_sample *samples = tables->region[HT_REGION_SAMPLES].at;
    struct variances_traced traced = {0, 0};
    for (uint32_t i = 1; i < tables->region[HT_REGION_SAMPLES].count; i++) {
        traced.allocations += samples[i].allocations;
        traced.frees += samples[i].frees;
    }
    return traced;
}
