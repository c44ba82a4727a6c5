/* traces_out.h - the live blocks of tables -> lines of traces, one a block (trace_line.h).
 *
 * Of imported tables these are the lines that were imported, in another order. */
#ifndef HEAPTALLY_REPORT_TRACES_OUT_H
#define HEAPTALLY_REPORT_TRACES_OUT_H

#include "../source/tables.h"

#include <stdio.h>

/* Writes the lines of checked tables, which are not of a sampled process. Blocks of one stack are given the
 * average of their sizes. *left_out: how many stacks hold no positive number of blocks, and are in no line.
 * False when out of memory; whether `out` took it all, ferror says. */
bool traces_out_write(const struct tables *tables, FILE *out, uint64_t *left_out, struct error *error);

#endif
