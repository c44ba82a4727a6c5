/* wrapping.h - sums of counters that a damaged file may have made anything: they wrap, and are never
 * undefined. */
#ifndef HEAPTALLY_REPORT_WRAPPING_H
#define HEAPTALLY_REPORT_WRAPPING_H

#include <stdint.h>

static inline int64_t wrapping_add(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t wrapping_subtract(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

#endif
