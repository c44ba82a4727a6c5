/* traces_in.h - traces that were imported -> the tables of a snapshot.
 *
 * A source file becomes a module and a line a PC of it (TABLES_SOURCE_PREFIX); a stack with its domain and
 * its depth a record of STACKS; and all blocks of one stack and one size a cell, so that no size is lost.
 * What a process has beside, threads and what was freed, is empty. */
#ifndef HEAPTALLY_REPORT_TRACES_IN_H
#define HEAPTALLY_REPORT_TRACES_IN_H

#include "trace_line.h"
#include "../source/tables.h"

#include <stdio.h>

struct traces_in;

/* Starts with no trace; `name` is what they are of. Null when out of memory. */
struct traces_in *traces_in_new(const char *name);
void traces_in_free(struct traces_in *self);

/* Adds one block. */
bool traces_in_add(struct traces_in *self, const struct trace_line *trace, struct error *error);

/* Adds the block of each line of a text; `name` is for messages, which say the line and its column. */
bool traces_in_read(struct traces_in *self, FILE *in, const char *name, struct error *error);

/* The tables of all that was added; they belong to `self`. */
const struct tables *traces_in_tables(const struct traces_in *self);

#endif
