/* table.h - aligned columns for people: `heaptally ps`. */
#ifndef HEAPTALLY_REPORT_TABLE_H
#define HEAPTALLY_REPORT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table_column {
    const char *name;
    bool right; /* aligned to the right, as numbers are */
};

/* Prints a heading and rows of cells; cells[row * columns + column]. The last column is not padded. */
void table_render(FILE *out, const struct table_column *columns, size_t column_count,
                  const char *const *cells, size_t row_count);

#endif
