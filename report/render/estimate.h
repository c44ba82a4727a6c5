/* estimate.h - how figures that are estimates are marked: a standard error behind each, and a line that says
 * what it is.
 *
 *     estimates from samples, one each 512 KiB on average; +- is the standard error, the 95 % interval is ...
 *     /src/tree.c:41: size=11.1 MiB +-1.2 MiB, count=5000 +-540, average=2324 B
 *
 * "+-" and not a sign of Unicode: it is the same in every locale, and can be typed to search for. */
#ifndef HEAPTALLY_REPORT_ESTIMATE_H
#define HEAPTALLY_REPORT_ESTIMATE_H

#include <stdint.h>
#include <stdio.h>

#define ESTIMATE_BYTES 64

/* " +-1.2 MiB" and " +-540" of a standard error >= 0. Each returns `text`, which has room for ESTIMATE_BYTES.
 */
const char *estimate_size(double error, char *text);
const char *estimate_count(double error, char *text);

/* The line, for figures of which one block is traced each `sample_bytes` bytes. */
void estimate_put_line(FILE *out, uint64_t sample_bytes);

/* ... and for differences, whose two sides may be sampled otherwise; 0: exact. */
void estimate_put_difference_line(FILE *out, uint64_t old_sample_bytes, uint64_t sample_bytes);

#endif
