/* compare.h - tracemalloc's Snapshot.compare_to(): two groupings -> their differences, in tracemalloc's
 * order: by |size difference|, size, |count difference|, count and traceback, descending. */
#ifndef HEAPTALLY_REPORT_COMPARE_H
#define HEAPTALLY_REPORT_COMPARE_H

#include "statistics.h"

/* Compares two groupings that were made by the same query over one `struct frames`. A group that is on one
 * side only counts as 0 on the other. Totals are those of `new`. The result must be freed. */
bool statistics_compare(const struct statistics *old, const struct statistics *new, struct frames *frames,
                        struct statistics *result, struct error *error);

/* Sorts rows that have differences as above. */
void statistics_sort_differences(struct statistics *self, struct frames *frames);

#endif
