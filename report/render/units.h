/* units.h - sizes as tracemalloc prints them: 10239 -> "10239 B", 10240 -> "10.0 KiB", 102400 -> "100 KiB".
 */
#ifndef HEAPTALLY_REPORT_UNITS_H
#define HEAPTALLY_REPORT_UNITS_H

#include <stdbool.h>
#include <stddef.h>

#define UNITS_BYTES 48

/* CPython's _format_size(size, sign). Returns `text`, which has room for UNITS_BYTES. */
const char *units_size(double size, bool sign, char *text);

#endif
