/* table.c - see table.h.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: no. */
#include "table.h"
#include "harmless.h"

#include <string.h>

#define COLUMNS_MAX 16

/* As harmless_put prints it, one column a character. */
static size_t width_of(const char *text) {
    size_t width = 0, length = strlen(text);
    for (size_t at = 0; at < length;) {
        size_t bytes = harmless_character(text + at, length - at);
        width += bytes != 0 ? 1 : 4;
        at += bytes != 0 ? bytes : 1;
    }
    return width;
}

static void put_cell(FILE *out, const char *text, size_t width, bool right, bool last) {
    int padding = (int)(width - width_of(text));
    if (right)
        fprintf(out, "%*s", padding, "");
    harmless_put(out, text);
    if (!right && !last)
        fprintf(out, "%*s", padding, "");
    fputs(last ? "\n" : "  ", out);
}

void table_render(FILE *out, const struct table_column *columns, size_t column_count,
                  const char *const *cells, size_t row_count) {
    size_t widths[COLUMNS_MAX];
    if (column_count > COLUMNS_MAX)
        column_count = COLUMNS_MAX;
    for (size_t i = 0; i < column_count; i++) {
        widths[i] = width_of(columns[i].name);
        for (size_t row = 0; row < row_count; row++)
            if (width_of(cells[row * column_count + i]) > widths[i])
                widths[i] = width_of(cells[row * column_count + i]);
    }
    for (size_t i = 0; i < column_count; i++)
        put_cell(out, columns[i].name, widths[i], columns[i].right, i + 1 == column_count);
    for (size_t row = 0; row < row_count; row++)
        for (size_t i = 0; i < column_count; i++)
            put_cell(out, cells[row * column_count + i], widths[i], columns[i].right, i + 1 == column_count);
}
