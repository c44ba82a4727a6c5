/* growth.h - objgraph's show_growth(): of one look after another, the rows that reach a new maximum.
 *
 * What goes up and down, a cache say, has its maximum soon and is silent from then on; what leaks is in every
 * look. Maxima can be kept in a file between looks. */
#ifndef HEAPTALLY_REPORT_GROWTH_H
#define HEAPTALLY_REPORT_GROWTH_H

#include "statistics.h"

#include <stdio.h>

struct growth;

/* Starts with every maximum 0. Null when out of memory. */
struct growth *growth_new(void);
void growth_free(struct growth *self);

/* Leaves in `rows` those whose size is above its maximum, with the differences to size and count at that one,
 * in the order of differences, and raises the maxima. All looks must be of the same keys. */
bool growth_look(struct growth *self, struct statistics *rows, struct frames *frames, struct error *error);

/* Writes the maxima as lines `SIZE COUNT NAME`, and reads them again; `name` is for messages. */
void growth_save(const struct growth *self, FILE *out);
bool growth_load(struct growth *self, FILE *in, const char *name, struct error *error);

#endif
