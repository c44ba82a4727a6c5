/* field.h - arithmetic modulo the Mersenne prime p = 2^127 - 1: what stack hashes are made of.
 *
 * 2^127 = 1 (mod p), so a fold adds what lies above bit 127 to what lies below. A folded value is at most
 * 2^127: that is enough to go on with; field_canonical gives the one representative in [0, p). */
#ifndef HEAPTALLY_FIELD_H
#define HEAPTALLY_FIELD_H

#include <stdint.h>

__extension__ typedef unsigned __int128 field; /* gcc and clang, every 64-bit machine */

#define FIELD_PRIME ((field)-1 >> 1)

static inline field field_fold(field a) {
    return (a & FIELD_PRIME) + (a >> 127);
}

static inline field field_canonical(field a) {
    a = field_fold(a);
    return a >= FIELD_PRIME ? a - FIELD_PRIME : a;
}

/* a * b + c for folded a, b < 2^126 and c < 2^97, folded. Schoolbook, with a = a1 2^64 + a0 and a1 <= 2^63:
 * the cross products sum to less than 2^128, the upper half of the product (from bit 127) to at most
 * 2^126, so all sums below stay under 2^128. */
static inline field field_multiply_add(field a, field b, field c) {
    uint64_t a0 = (uint64_t)a, a1 = (uint64_t)(a >> 64), b0 = (uint64_t)b, b1 = (uint64_t)(b >> 64);
    field cross = (field)a0 * b1 + (field)a1 * b0, lowest = (field)a0 * b0;
    field low = lowest + (cross << 64);
    field high = (field)a1 * b1 + (cross >> 64) + (low < lowest);
    return field_fold((low & FIELD_PRIME) + (high << 1 | low >> 127) + c);
}

#endif
