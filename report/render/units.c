/* units.c - see units.h.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: no. */
#include "units.h"

#include <math.h>
#include <stdio.h>

const char *units_size(double size, bool sign, char *text) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    const size_t last = sizeof units / sizeof *units - 1;
    for (size_t i = 0;; i++, size /= 1024) {
        if (fabs(size) < 100 && i != 0) {
            snprintf(text, UNITS_BYTES, sign ? "%+.1f %s" : "%.1f %s", size, units[i]);
            return text;
        }
        if (fabs(size) < 10 * 1024 || i == last) {
            snprintf(text, UNITS_BYTES, sign ? "%+.0f %s" : "%.0f %s", size, units[i]);
            return text;
        }
    }
}
