/* test_cfi_rows.c - the cache says of an address what its description does, however many it has to hold, and
 * while other threads fill and drop it. What rows say is test_cfi_row.c's and test_unwind.c's business. */
#include "support.h"

#include "unwind/call_stack.h"
#include "unwind/cfi_row.h"
#include "unwind/cfi_rows.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES (2u << CFI_ROWS_BITS) /* twice as many as it has entries */
#define THREADS   2

/* The C library's code is longer than that. */
static uintptr_t address(uint32_t i) {
    return (uintptr_t)qsort + i;
}

static struct cfi_row described(uint64_t pc) {
    uintptr_t plain = (uintptr_t)(pc & ~STACK_EXACT);
    return cfi_row_at((pc & STACK_EXACT) != 0 ? plain : plain - 1);
}

static bool same(struct cfi_row one, struct cfi_row other) {
    return memcmp(&one, &other, sizeof one) == 0;
}

static bool is_cached(uint64_t pc) {
    uint64_t entry = cfi_rows_entry(pc);
    return entry != 0 && same(cfi_rows_of(entry), described(pc));
}

static void says_what_the_description_says(void **state) {
    uint32_t differ = 0;
    (void)state;
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        uint64_t call = address(i), exact = call | STACK_EXACT;
        assert_true(same(cfi_rows_find(call), described(call)));
        assert_true(same(cfi_rows_find(exact), described(exact)));
        differ += !same(described(call), described(exact));
    }
    assert_true(differ > 100); /* else nothing is told apart here */
    for (uint32_t i = 0; i < ADDRESSES; i++)
        assert_true(same(cfi_rows_find(address(i)), described(address(i))));
}

static void keeps_what_fits_until_it_is_dropped(void **state) {
    uint32_t kept = 0, count = 1000;
    (void)state;
    cfi_rows_forget();
    for (uint32_t i = 0; i < count; i++)
        cfi_rows_find(address(7 * i));
    for (uint32_t i = 0; i < count; i++)
        kept += is_cached(address(7 * i));
    assert_true(kept > count - count / 20); /* code that nobody describes is not kept */
    cfi_rows_forget();
    for (uint32_t i = 0; i < count; i++)
        assert_false(is_cached(address(7 * i)));
}

/* Code that nobody describes, as JITs make it, may be another library's in a moment. */
static void does_not_keep_guesses(void **state) {
    static const char data[16];
    uint64_t pc = (uintptr_t)data + 1;
    (void)state;
    assert_int_equal(cfi_rows_find(pc).kind, CFI_GUESS);
    assert_false(is_cached(pc));
}

/* Neither of an empty entry nor of one that differs from it in the bits that no address has. */
static void tells_what_is_no_code(void **state) {
    (void)state;
    cfi_rows_forget();
    for (int filled = 0; filled < 2; filled++) {
        assert_int_equal(cfi_rows_find(UINT64_MAX).kind, CFI_NO_CODE);
        assert_int_equal(cfi_rows_find(0).kind, CFI_NO_CODE);
        assert_int_equal(cfi_rows_find(STACK_EXACT).kind, CFI_NO_CODE);
        for (unsigned bit = 48; bit < 64; bit++)
            for (uint32_t i = 0; i < 200; i++)
                if ((uint64_t)1 << bit != STACK_EXACT)
                    assert_int_equal(cfi_rows_find(address(i) | (uint64_t)1 << bit).kind, CFI_NO_CODE);
        for (uint32_t i = 0; i < ADDRESSES; i++)
            cfi_rows_find(address(i));
    }
}

static bool is_late(const struct cfi_rows_late *late, uint64_t pc) {
    return late->entries[cfi_rows_late_place(pc)] >> CFI_ROWS_SHIFT == pc;
}

/* In front of the cache, with more addresses than have places there: each is found, and found again. */
static void keeps_the_late_ones_too(void **state) {
    static struct cfi_rows_late late;
    uint32_t kept = 0;
    (void)state;
    for (int again = 0; again < 2; again++)
        for (uint32_t i = 0; i < ADDRESSES; i++) {
            uint64_t exact = address(i) | STACK_EXACT;
            assert_true(same(cfi_rows_find_late(&late, address(i)), described(address(i))));
            assert_true(same(cfi_rows_find_late(&late, exact), described(exact)));
            assert_true(same(cfi_rows_find_late(&late, exact), described(exact)));
            if (is_cached(exact)) { /* then it is kept by now, and another's has made way */
                assert_true(is_late(&late, exact));
                kept++;
            }
        }
    assert_true(kept > ADDRESSES);
    assert_int_equal(cfi_rows_find_late(&late, 0).kind, CFI_NO_CODE);
    uint64_t last = address(ADDRESSES - 1);
    assert_true(same(cfi_rows_find_late(&late, last), described(last)));
    assert_true(same(cfi_rows_find_late(&late, last), described(last)));
    cfi_rows_forget();
    assert_true(is_late(&late, last)); /* what is late is its owner's to forget */
    cfi_rows_forget_late(&late);
    for (uint32_t i = 0; i < sizeof late.entries / sizeof *late.entries; i++)
        assert_int_equal(late.entries[i], 0);
    assert_int_equal(cfi_rows_find_late(&late, 0).kind, CFI_NO_CODE);
}

static void *look_up(void *seed_of) {
    uint64_t seed = (uint64_t)(uintptr_t)seed_of;
    for (uint32_t i = 0; i < SCALED(300000); i++) {
        uint64_t pc = address((uint32_t)random_below(&seed, ADDRESSES));
        if (random_below(&seed, 20000) == 0)
            cfi_rows_forget();
        if (!CHECK(same(cfi_rows_find(pc), described(pc))))
            break;
    }
    return NULL;
}

static void bears_others_that_fill_and_drop_it(void **state) {
    pthread_t threads[THREADS];
    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_up, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failed_checks(), 0);
}

int main(void) {
    cfi_rows_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_the_description_says),
        cmocka_unit_test(keeps_what_fits_until_it_is_dropped),
        cmocka_unit_test(does_not_keep_guesses),
        cmocka_unit_test(tells_what_is_no_code),
        cmocka_unit_test(keeps_the_late_ones_too),
        cmocka_unit_test(bears_others_that_fill_and_drop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
