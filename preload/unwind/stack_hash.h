/* stack_hash.h - the hash of a call stack: two polynomials of its frames modulo the Mersenne prime p = 2^61 -
 * 1, each at a secret point (struct ht_stack of the format says what for, and how seldom two stacks meet).
 *
 * 2^61 = 1 (mod p), so what lies above bit 61 is added to what lies below. A value on the way is below 3 *
 * 2^61 and only congruent; stack_hash_canonical gives the one in [0, p). With points below 2^59 that is
 * closed: of a value times a point the part below bit 61 is below 2^61, the part above is below 2^61 too, and
 * so is a coefficient. */
#ifndef HEAPTALLY_STACK_HASH_H
#define HEAPTALLY_STACK_HASH_H

#include <stdint.h>

#define STACK_HASH_PRIME ((UINT64_C(1) << 61) - 1)
#define STACK_HASH_POINT ((UINT64_C(1) << 59) - 1) /* the largest */
#define STACK_HASH_VALUE ((UINT64_C(3) << 61) - 1) /* the largest on the way */

struct stack_hash {
    uint64_t a, b;
};

/* x times y, the bits above 61 added to those below; y below 2^61. Of the product with 8 y both parts begin
 * at a word, and need not be shifted together: on some processors that takes as long as the product. */
static inline uint64_t stack_hash_fold(uint64_t x, uint64_t y) {
    __extension__ unsigned __int128 product = (unsigned __int128)x * (y << 3);
    return ((uint64_t)product >> 3) + (uint64_t)(product >> 64);
}

static inline uint64_t stack_hash_step(uint64_t value, uint64_t point, uint64_t coefficient) {
    return stack_hash_fold(value, point) + coefficient;
}

/* A coded PC: an address of 48 bits, of a caller's frame the return address. STACK_EXACT: it is the
 * instruction that a signal interrupted. */
#define STACK_EXACT (UINT64_C(1) << 49)

/* The hash of `below` with one more frame: coefficients below 2^61 that tell frames apart. Of salt, how often
 * the range of the PC was unmapped, each polynomial sees half. */
static inline struct stack_hash stack_hash_put(struct stack_hash below, struct stack_hash point,
                                               uint64_t coded_pc, uint32_t salt) {
    uint64_t frame = 1 + coded_pc, first = frame, second = frame;
    if (__builtin_expect(salt != 0, 0)) {
        first += (uint64_t)(salt & 0x7ff) << 50;
        second += (uint64_t)(salt >> 11 & 0x7ff) << 50;
    }
    return (struct stack_hash){stack_hash_step(below.a, point.a, first),
                               stack_hash_step(below.b, point.b, second)};
}

/* ---- whole values: rare ---- */

static inline uint64_t stack_hash_reduce(uint64_t value) {
    value = (value & STACK_HASH_PRIME) + (value >> 61);
    return value >= STACK_HASH_PRIME ? value - STACK_HASH_PRIME : value;
}

static inline uint64_t stack_hash_product(uint64_t x, uint64_t y) {
    return stack_hash_reduce(stack_hash_fold(stack_hash_reduce(x), stack_hash_reduce(y)));
}

static inline uint64_t stack_hash_raised(uint64_t x, uint32_t exponent) {
    uint64_t power = 1;
    for (; exponent != 0; exponent >>= 1, x = stack_hash_product(x, x))
        if ((exponent & 1) != 0)
            power = stack_hash_product(power, x);
    return power;
}

/* whole = below * power + rest: the hash of the rest alone begins with 1 in place of `below`. */
static inline uint64_t stack_hash_without(uint64_t whole, uint64_t below, uint64_t power) {
    uint64_t start = stack_hash_product(below, power);
    return stack_hash_reduce(stack_hash_reduce(whole) + (STACK_HASH_PRIME - start) + power);
}

static inline struct stack_hash stack_hash_canonical(struct stack_hash hash) {
    return (struct stack_hash){stack_hash_reduce(hash.a), stack_hash_reduce(hash.b)};
}

#endif
