/* sample.c - see sample.h. Logarithm and exponential are written out: libc's are in a library of their own,
 * which the traced program need not have loaded.
 *
 * Owns:    the mean distance.
 * Threads: any.  Signals: safe.  Heap: never. */
#include "sample.h"

#include "heaptally_format.h"

static double mean = 1;

void sample_begin(uint64_t mean_bytes) {
    mean = (double)mean_bytes;
}

/* splitmix64 (Steele, Lea and Flood, 2014). */
static uint64_t mixed(uint64_t x) {
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

/* In (0, 1]: 53 bits. */
static double fraction(uint64_t bits) {
    return (double)((bits >> 11) + 1) * 0x1p-53;
}

/* -ln(u) for u in (0, 1]: u = m 2^e with m in [1, 2), and ln m = 2 artanh((m - 1) / (m + 1)), whose argument
 * is at most 1 / 3: twelve terms are exact to 10^-12. */
static double minus_log(double u) {
    int exponent = 0;
    while (u < 1) {
        u *= 2;
        exponent++;
    }
    double t = (u - 1) / (u + 1), power = t, sum = 0;
    for (int k = 1; k < 24; k += 2, power *= t * t)
        sum += power / k;
    return exponent * 0.693147180559945309417 - 2 * sum;
}

/* 1 - exp(-x), x >= 0: by its series where x is small; else halved until it is, since with q = 1 - exp(-y)
 * for y = x / 2, 1 - exp(-x) = q (2 - q). */
static double minus_expm1(double x) {
    int doublings = 0;
    if (x > 40)
        return 1;
    while (x > 0x1p-6) {
        x /= 2;
        doublings++;
    }
    double q = x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5 * (1 - x / 6)))));
    for (; doublings != 0; doublings--)
        q *= 2 - q;
    return q;
}

int64_t sample_distance(uint64_t *random) {
    *random += 0x9E3779B97F4A7C15u;
    return (int64_t)(minus_log(fraction(mixed(*random))) * mean) + 1;
}

struct weight sample_weight(uint64_t size_bytes) {
    double size = (double)size_bytes, p = minus_expm1((size_bytes != 0 ? size : 1) / mean);
    double variance = (1 - p) / (p * p);
    return (struct weight){.block_parts = (uint64_t)(HT_SAMPLE_BLOCK / p + 0.5),
                           .byte_parts = (uint64_t)(HT_SAMPLE_BYTE * size / p + 0.5),
                           .bytes_variance = size * size * variance,
                           .blocks_variance = variance};
}
