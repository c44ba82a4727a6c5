/* filter.c - see filter.h.
 * Owns:    nothing.
 * Threads: one.  Signals: no.  Heap: no. */
#include "filter.h"

bool filter_all(const struct filter *filters, size_t count, struct traces *traces, size_t trace) {
    for (size_t i = 0; i < count; i++)
        if (!filters[i].accepts(filters[i].argument, traces, trace))
            return false;
    return true;
}
