/* test_stack_hash.c - arithmetic modulo 2^61 - 1 against division, and hashes of windows against their
 * definition. */
#include "support.h"

#include "unwind/stack_hash.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t reference(uint64_t value, uint64_t point, uint64_t coefficient) {
    return (uint64_t)(((wide)value * point + coefficient) % STACK_HASH_PRIME);
}

static void same(uint64_t value, uint64_t point, uint64_t coefficient) {
    uint64_t got = stack_hash_step(value, point, coefficient);
    assert_true(got <= STACK_HASH_VALUE); /* so that it can go on */
    assert_true(stack_hash_reduce(got) == reference(value, point, coefficient));
}

static void knows_its_prime(void **state) {
    (void)state;
    assert_true(STACK_HASH_PRIME == (UINT64_C(1) << 61) - 1);
    assert_true(stack_hash_reduce(0) == 0 && stack_hash_reduce(STACK_HASH_PRIME) == 0);
    assert_true(stack_hash_reduce(STACK_HASH_PRIME - 1) == STACK_HASH_PRIME - 1);
    assert_true(stack_hash_reduce(UINT64_C(1) << 61) == 1);
    assert_true(stack_hash_reduce(UINT64_MAX) == UINT64_MAX % STACK_HASH_PRIME);
}

/* Every combination of the values at which a carry or a fold changes. */
static void holds_at_the_edges(void **state) {
    (void)state;
    const uint64_t p = STACK_HASH_PRIME, top = STACK_HASH_VALUE;
    const uint64_t values[] = {0, 1, 2, UINT32_MAX, p - 1, p, p + 1, 2 * p, 2 * p + 1, top - 1, top};
    const uint64_t points[] = {0, 1, 2, UINT32_MAX, STACK_HASH_POINT - 1, STACK_HASH_POINT};
    const uint64_t coefficients[] = {0, 1, UINT32_MAX, p - 1, p};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (size_t j = 0; j < sizeof points / sizeof *points; j++)
            for (size_t k = 0; k < sizeof coefficients / sizeof *coefficients; k++)
                same(values[i], points[j], coefficients[k]);
}

static void holds_at_random(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < SCALED(1000000); i++) {
        uint64_t value = random_next(&seed) % (STACK_HASH_VALUE + 1) >> random_below(&seed, 60);
        same(value, random_next(&seed) & STACK_HASH_POINT,
             random_next(&seed) >> (3 + random_below(&seed, 60)));
    }
}

static void multiplies_and_raises(void **state) {
    (void)state;
    uint64_t seed = 9;
    for (int i = 0; i < SCALED(100000); i++) {
        uint64_t x = random_next(&seed), y = random_next(&seed), power = 1;
        assert_true(stack_hash_product(x, y) ==
                    (uint64_t)((wide)(x % STACK_HASH_PRIME) * (y % STACK_HASH_PRIME) % STACK_HASH_PRIME));
        uint32_t exponent = (uint32_t)random_below(&seed, 40);
        for (uint32_t k = 0; k < exponent; k++)
            power = stack_hash_product(power, x);
        assert_true(stack_hash_raised(x, exponent) == power % STACK_HASH_PRIME);
    }
}

/* Horner's rule over long random stacks, with values fed back as they are. */
static void holds_along_a_chain(void **state) {
    (void)state;
    uint64_t seed = 8;
    struct stack_hash point = {random_next(&seed) & STACK_HASH_POINT, random_next(&seed) & STACK_HASH_POINT};
    struct stack_hash hash = {1, 1}, exact = {1, 1};
    for (int i = 0; i < SCALED(300000); i++) {
        uint64_t pc = random_next(&seed) >> 16, signal = random_below(&seed, 2);
        uint32_t salt = random_below(&seed, 2) != 0 ? (uint32_t)random_below(&seed, 1u << 22) : 0;
        uint64_t x = 1 + pc + (signal << 49);
        hash = stack_hash_put(hash, point, pc | (signal != 0 ? STACK_EXACT : 0), salt);
        exact.a = reference(exact.a, point.a, x + ((uint64_t)(salt & 0x7ff) << 50));
        exact.b = reference(exact.b, point.b, x + ((uint64_t)(salt >> 11) << 50));
        struct stack_hash now = stack_hash_canonical(hash);
        assert_true(now.a == exact.a && now.b == exact.b);
    }
}

/* The hash of the frames above a prefix, from the two prefixes, is that of these frames alone. */
static void takes_a_prefix_away(void **state) {
    (void)state;
    uint64_t seed = 10;
    struct stack_hash point = {random_next(&seed) & STACK_HASH_POINT, random_next(&seed) & STACK_HASH_POINT};
    for (int i = 0; i < SCALED(20000); i++) {
        uint32_t below = (uint32_t)random_below(&seed, 60), above = 1 + (uint32_t)random_below(&seed, 60);
        struct stack_hash whole = {1, 1}, prefix = whole, alone = whole;
        for (uint32_t k = 0; k < below + above; k++) {
            uint64_t pc = random_next(&seed) >> 17;
            whole = stack_hash_put(whole, point, pc, 0);
            if (k < below)
                prefix = whole;
            else
                alone = stack_hash_put(alone, point, pc, 0);
        }
        alone = stack_hash_canonical(alone);
        assert_true(stack_hash_without(whole.a, prefix.a, stack_hash_raised(point.a, above)) == alone.a);
        assert_true(stack_hash_without(whole.b, prefix.b, stack_hash_raised(point.b, above)) == alone.b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_its_prime),     cmocka_unit_test(holds_at_the_edges),
        cmocka_unit_test(holds_at_random),     cmocka_unit_test(multiplies_and_raises),
        cmocka_unit_test(holds_along_a_chain), cmocka_unit_test(takes_a_prefix_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
