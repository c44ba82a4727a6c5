/* histogram.h - how many blocks there were by size, lifetime or age.
 *
 *     SIZE histogram of all rows
 *           FROM      BELOW    ALLOCATED       %  CUMULATED         LIVE
 *           16 B       32 B         1000  50.0 %     50.0 %           12
 *          1 KiB      2 KiB         1000  50.0 %    100.0 %            0
 *
 * From the first bucket that is not empty to the last. Times have three digits. */
#ifndef HEAPTALLY_REPORT_HISTOGRAM_H
#define HEAPTALLY_REPORT_HISTOGRAM_H

#include "json.h"
#include "view.h"

/* of: what it is of, behind the title. */
void histogram_put(FILE *out, const struct view_histogram *histogram, const char *of);

/* An object: of, unit, buckets: {from, below (null: no bound), and the columns by name}; empty ones too. */
void histogram_put_json(struct json *json, const struct view_histogram *histogram);

#endif
