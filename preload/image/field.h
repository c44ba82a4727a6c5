/* field.h - arithmetic modulo the Mersenne prime p = 2^127 - 1: what stack hashes are made of.
 *
 * Values are canonical, in [0, p). The reduction uses 2^127 = 1 and 2^128 = 2 (mod p). */
#ifndef HEAPTALLY_FIELD_H
#define HEAPTALLY_FIELD_H

#include <stdint.h>

__extension__ typedef unsigned __int128 field; /* gcc and clang, every 64-bit machine */

#define FIELD_PRIME ((field)-1 >> 1)

static inline field field_reduce(field a) {
    a = (a & FIELD_PRIME) + (a >> 127);
    return a >= FIELD_PRIME ? a - FIELD_PRIME : a;
}

static inline field field_add(field a, field b) {
    return field_reduce(a + b); /* both < 2^127, the sum < 2^128 */
}

/* Schoolbook: a = a1 2^64 + a0 with a1 < 2^63, so the cross products sum to less than 2^128. */
static inline field field_multiply(field a, field b) {
    uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64), b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
    field low = (field)a0 * b0, cross = (field)a0 * b1 + (field)a1 * b0, high = (field)a1 * b1;
    field sum = field_reduce(2 * high); /* high < 2^126 */
    sum += field_reduce(((cross & (UINT64_MAX >> 1)) << 64) + (cross >> 63));
    return field_reduce(field_reduce(sum) + field_reduce(low));
}

#endif
