/* variances.h - what the figures of a sampled process are uncertain by: the records of SAMPLES, beside the
 * measures of model.h.
 *
 * A figure's variance is the sum of its blocks', so variances add up as figures do; its standard error is the
 * square root. What was freed takes away what its allocation added: in a single cell, whose thread may free
 * blocks of others, the variance of what lives may be negative, and over all cells of a stack it is not. */
#ifndef HEAPTALLY_REPORT_VARIANCES_H
#define HEAPTALLY_REPORT_VARIANCES_H

#include "tables.h"

struct variances {
    double live_bytes, live_blocks; /* bytes^2, blocks^2 */
    double peak_bytes, peak_blocks;
    double allocated_bytes, allocations;
    double freed_bytes, frees;
};

/* Those of cell `id`, whose peak is as model.h chooses it. All finite: what is missing, or what no writer
 * writes, is 0. */
struct variances variances_of_cell(const struct tables *tables, uint32_t id);

void variances_add(struct variances *to, const struct variances *from);

/* The square root; 0 of what rounding, or a damaged file, has left below 0. */
double variances_error(double variance);

/* Traced blocks, not estimated: how much the estimates stand on. */
struct variances_traced {
    uint64_t allocations, frees;
};
struct variances_traced variances_sum_traced(const struct tables *tables);

#endif
