/* test_field.c - arithmetic modulo 2^127 - 1 against long multiplication and shift-and-subtract division. */
#include "support.h"

#include "image/field.h"

#define WORDS 9 /* of 32 bits: 288 bits hold a * b + c and a carry */

struct big {
    uint32_t word[WORDS];
};

static struct big big_of(field a) {
    struct big big = {{0}};
    for (int i = 0; i < 4; i++)
        big.word[i] = (uint32_t)(a >> (32 * i));
    return big;
}

static void big_add(struct big *a, const struct big *b, int at) {
    uint64_t carry = 0;
    for (int i = at; i < WORDS; i++) {
        carry += (uint64_t)a->word[i] + b->word[i - at];
        a->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static struct big big_multiply(const struct big *a, const struct big *b) {
    struct big sum = {{0}};
    for (int i = 0; i < 4; i++) {
        struct big row = {{0}};
        uint64_t carry = 0;
        for (int j = 0; j < 5; j++) {
            carry += (uint64_t)a->word[i] * (j < 4 ? b->word[j] : 0);
            row.word[j] = (uint32_t)carry;
            carry >>= 32;
        }
        big_add(&sum, &row, i);
    }
    return sum;
}

/* Remainder by 2^127 - 1, one bit at a time from the top: r = 2 r + bit, minus the prime if it is that large. */
static field big_remainder(const struct big *a) {
    const field prime = (((field)1 << 126) - 1) * 2 + 1;
    field rest = 0;
    for (int bit = WORDS * 32 - 1; bit >= 0; bit--) {
        rest = rest << 1 | (a->word[bit / 32] >> (bit % 32) & 1);
        if (rest >= prime)
            rest -= prime;
    }
    return rest;
}

static field reference(field a, field b, field c) {
    struct big x = big_of(a), y = big_of(b), z = big_of(c), product = big_multiply(&x, &y);
    big_add(&product, &z, 0);
    return big_remainder(&product);
}

static void same(field a, field b, field c) {
    field got = field_multiply_add(a, b, c);
    assert_true(got <= (field)1 << 127);
    assert_true(field_canonical(got) == reference(a, b, c));
}

static const field one = 1;

static void knows_its_prime(void **state) {
    (void)state;
    assert_true(FIELD_PRIME == (one << 127) - 1);
    assert_true(field_canonical(0) == 0);
    assert_true(field_canonical(FIELD_PRIME) == 0);
    assert_true(field_canonical(FIELD_PRIME - 1) == FIELD_PRIME - 1);
    assert_true(field_canonical(one << 127) == 1);
    assert_true(field_canonical((field)-1) == 1);
    assert_true(field_fold((field)-1) <= one << 127);
}

/* Every combination of the values at which a carry or a fold changes. */
static void holds_at_the_edges(void **state) {
    (void)state;
    const field p = FIELD_PRIME;
    const field a[] = {0,         1,         2,         UINT64_MAX, one << 64, (one << 64) + 1, one << 126,
                       p - 1,     p,         one << 127, p - 2,     ((field)UINT64_MAX >> 1) << 64, p >> 1};
    const field b[] = {0, 1, 2, UINT64_MAX, one << 64, (one << 64) - 1, one << 126, p - 1, p - 2,
                       ((field)UINT64_MAX >> 1) << 64};
    const field c[] = {0, 1, UINT64_MAX, one << 64, (one << 96), (one << 97) - 1};
    for (size_t i = 0; i < sizeof a / sizeof *a; i++)
        for (size_t j = 0; j < sizeof b / sizeof *b; j++)
            for (size_t k = 0; k < sizeof c / sizeof *c; k++)
                same(a[i], b[j], c[k]);
}

static field random_field(uint64_t *seed) {
    field value = (field)random_next(seed) << 64 | random_next(seed);
    return value >> (1 + random_below(seed, 120));
}

static void holds_at_random(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < SCALED(300000); i++)
        same(random_field(&seed), random_field(&seed) % FIELD_PRIME, random_field(&seed) >> 30);
}

/* Horner's rule over long random stacks, with the folded value fed back. */
static void holds_along_a_chain(void **state) {
    (void)state;
    uint64_t seed = 8;
    field key = random_field(&seed) | one << 120, folded = 1, exact = 1;
    for (int i = 0; i < SCALED(100000); i++) {
        field coefficient = (field)random_next(&seed) + 1 + ((field)(uint32_t)random_next(&seed) << 64);
        folded = field_multiply_add(folded, key, coefficient);
        exact = reference(exact, key, coefficient);
        assert_true(field_canonical(folded) == exact);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_its_prime),
        cmocka_unit_test(holds_at_the_edges),
        cmocka_unit_test(holds_at_random),
        cmocka_unit_test(holds_along_a_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
