/* test_births.c - address -> birth, of blocks of all sizes, against a map of the test's own; the bound. The
 * addresses are made up: the table never looks at them. */
#include "support.h"

#include "births.h"
#include "blocks.h"

#include <stdlib.h>
#include <string.h>

#define HEAP ((uintptr_t)0x7f1200000000)

static bool same(struct birth a, struct birth b) {
    return a.time_ns == b.time_ns && a.number == b.number && a.waste_bytes == b.waste_bytes &&
           a.slot == b.slot;
}

static bool is_none(struct birth birth) {
    return birth.slot == 0;
}

static void put_is_found_and_taken_once(void **state) {
    static const uint64_t sizes[] = {0, 1, 24, 511, 512, 8191, 8192, (uint64_t)1 << 40};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uintptr_t at = HEAP + (i << 22) + 16;
        struct birth birth = {
            .time_ns = 64 * (i + 1), .number = i + 7, .waste_bytes = i, .slot = 1 + (uint32_t)i};
        struct birth put = birth;
        assert_true(is_none(births_get(at, sizes[i])));
        assert_true(births_put(at, sizes[i], &put));
        assert_true(same(put, birth));
        assert_true(same(births_get(at, sizes[i]), birth));
        assert_true(same(births_take(at, sizes[i]), birth));
        assert_true(is_none(births_take(at, sizes[i])));
    }
}

static void keeps_extremes_and_rounds_the_same_way_twice(void **state) {
    struct birth birth = {.time_ns = ((uint64_t)1 << 54) - 1,
                          .number = BIRTHS_NUMBERS - 1,
                          .waste_bytes = ((uint64_t)1 << 30) + 12345,
                          .slot = 32767};
    (void)state;
    assert_true(births_put(HEAP, 64, &birth));
    assert_int_equal(birth.time_ns, ((uint64_t)1 << 54) - 64);
    assert_int_equal(birth.number, BIRTHS_NUMBERS - 1);
    assert_int_equal(birth.slot, 32767);
    assert_true(birth.waste_bytes <= ((uint64_t)1 << 30) + 12345);
    assert_true(birth.waste_bytes > ((uint64_t)1 << 30) + 12345 - 2048); /* one part in 2^19 */
    assert_true(same(births_take(HEAP, 64), birth));
    birth.waste_bytes = (1 << 20) - 1;
    assert_true(births_put(HEAP, 64, &birth));
    assert_int_equal(birth.waste_bytes, (1 << 20) - 1); /* exact below 1 MiB */
    assert_true(same(births_take(HEAP, 64), birth));
}

/* Blocks as close as glibc has them, in all planes at once. */
static void neighbours_do_not_meet(void **state) {
    (void)state;
    enum { BLOCKS = 20000 };
    static struct {
        uintptr_t at;
        uint64_t size_bytes;
    } blocks[BLOCKS];
    uint64_t seed = 5;
    uintptr_t at = HEAP + ((uintptr_t)1 << 30);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        static const uint64_t limits[] = {64, 600, 9000, 20000};
        uint64_t size = random_below(&seed, limits[random_below(&seed, 4)]);
        blocks[i].at = at + 16;
        blocks[i].size_bytes = size;
        at += size + 8 < 32 ? 32 : (size + 8 + 15) & ~(uint64_t)15;
        struct birth birth = {.time_ns = (uint64_t)i << 6, .number = i, .slot = 1 + i % 100};
        assert_true(births_put(blocks[i].at, size, &birth));
    }
    for (uint32_t i = 0; i < BLOCKS; i++) {
        struct birth birth = births_take(blocks[i].at, blocks[i].size_bytes);
        assert_int_equal(birth.number, i);
        assert_int_equal(birth.slot, 1 + i % 100);
        assert_int_equal(birth.time_ns, (uint64_t)i << 6);
    }
}

/* Room for two pieces of 4096 births of 16 bytes. */
static void the_table_is_bounded(void) {
    struct birth birth = {.slot = 1};
    births_open(2 * 65536);
    CHECK(births_put(HEAP, 24, &birth));
    CHECK(births_put(HEAP + 32, 24, &birth));
    CHECK(births_put(HEAP + ((uintptr_t)1 << 24), 24, &birth));
    CHECK(!births_put(HEAP + ((uintptr_t)2 << 24), 24, &birth));
    CHECK(births_put(HEAP + 64, 24, &birth)); /* where there is a piece there is room */
    CHECK(is_none(births_get(HEAP + ((uintptr_t)2 << 24), 24)));
    CHECK(!births_put((uintptr_t)1 << 50, 24, &birth));
}

static void says_no_when_full(void **state) {
    (void)state;
    assert_int_equal(in_child(the_table_is_bounded), 0);
}

static void blocks_eight_bytes_apart(void) {
    blocks_exact(); /* also after births_open */
    for (uint32_t i = 0; i < 1000; i++) {
        struct birth birth = {.number = i, .slot = 1};
        CHECK(births_put(HEAP + 8 * i, 8, &birth));
    }
    for (uint32_t i = 0; i < 1000; i++)
        CHECK(births_take(HEAP + 8 * i, 8).number == i);
}

static void exact_places(void **state) {
    (void)state;
    assert_int_equal(in_child(blocks_eight_bytes_apart), 0);
}

static size_t measured(void *block) {
    return block != NULL ? 40 : 0;
}

static void waste_is_what_is_beyond_the_request(void **state) {
    (void)state;
    assert_int_equal(births_waste((void *)HEAP, 30), 0); /* not known */
    births_measure_by(measured);
    assert_int_equal(births_waste((void *)HEAP, 30), 10);
    assert_int_equal(births_waste((void *)HEAP, 40), 0);
    assert_int_equal(births_waste((void *)HEAP, 50), 0);
}

static int open_births(void **state) {
    (void)state;
    births_open((uint64_t)64 << 20);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_is_found_and_taken_once),
        cmocka_unit_test(keeps_extremes_and_rounds_the_same_way_twice),
        cmocka_unit_test(neighbours_do_not_meet),
        cmocka_unit_test(says_no_when_full),
        cmocka_unit_test(exact_places),
        cmocka_unit_test(waste_is_what_is_beyond_the_request),
    };
    return cmocka_run_group_tests(tests, open_births, NULL);
}
