/* details.h - what HEAPTALLY_DETAILS counted: the records of DETAILS, beside the measures of model.h.
 *
 * A `struct ht_detail` is also what records add up to. Of a sum, peak_waste_bytes is as model.h chooses the
 * peak, and last_ns the latest. */
#ifndef HEAPTALLY_REPORT_DETAILS_H
#define HEAPTALLY_REPORT_DETAILS_H

#include "tables.h"

/* Whether the process was traced with details. */
bool details_present(const struct tables *tables);

/* Those of cell `id`; all 0 if it has none. What no writer writes is left out. */
struct ht_detail details_of_cell(const struct tables *tables, uint32_t id);

/* Adds; births in the larger of both units. */
void details_add(struct ht_detail *to, const struct ht_detail *from);

/* Bytes that live blocks have beyond what was asked for. */
int64_t details_waste(const struct ht_detail *self);

/* The bounds [from, below) of a bucket of a histogram by powers of two with so many buckets; below 0: none.
 */
struct details_bounds {
    uint64_t from, below;
};
struct details_bounds details_bounds(uint32_t bucket, uint32_t buckets);

#endif
