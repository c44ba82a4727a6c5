/* test_text.c - bounded strings. */
#include "support.h"

#include "platform/text.h"

#include <inttypes.h>
#include <string.h>

static void appends_and_terminates(void **state) {
    (void)state;
    char buffer[16];
    struct text text = text_in(buffer, sizeof buffer);
    assert_string_equal(buffer, "");
    text_add(&text, "abc");
    text_add_bytes(&text, "defgh", 2);
    text_add_number(&text, 0);
    text_add_number(&text, 42);
    assert_string_equal(buffer, "abcde042");
    assert_int_equal(text.used, 8);
    assert_false(text.cut);
}

static void cuts_at_every_capacity(void **state) {
    (void)state;
    static const char whole[] = "abc18446744073709551615xyz";
    for (size_t capacity = 1; capacity <= sizeof whole + 2; capacity++) {
        char buffer[64];
        memset(buffer, '#', sizeof buffer);
        struct text text = text_in(buffer, capacity);
        text_add(&text, "abc");
        text_add_number(&text, UINT64_MAX);
        text_add(&text, "xyz");
        size_t fits = capacity - 1 < sizeof whole - 1 ? capacity - 1 : sizeof whole - 1;
        assert_int_equal(text.used, fits);
        assert_memory_equal(buffer, whole, fits);
        assert_int_equal(buffer[fits], '\0');
        assert_int_equal(buffer[capacity], '#');
        assert_int_equal(text.cut, capacity < sizeof whole);
    }
}

static void numbers_round_trip(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 100000; i++) {
        uint64_t number = random_next(&seed) >> random_below(&seed, 64), parsed;
        char ours[32], theirs[32];
        struct text text = text_in(ours, sizeof ours);
        text_add_number(&text, number);
        snprintf(theirs, sizeof theirs, "%" PRIu64, number);
        assert_string_equal(ours, theirs);
        assert_true(text_number(ours, &parsed));
        assert_true(parsed == number);
    }
}

static void refuses_what_is_no_number(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", " 1", "1 ", "-1", "+1", "0x10", "1a", "a", "18446744073709551616", "99999999999999999999999"};
    uint64_t value;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_number(bad[i], &value));
    assert_true(text_number("18446744073709551615", &value) && value == UINT64_MAX);
    assert_true(text_number("007", &value) && value == 7);
}

static void scans_and_stops(void **state) {
    (void)state;
    const char *at = "12.34x";
    uint64_t value;
    assert_true(text_scan_number(&at, &value));
    assert_int_equal(value, 12);
    assert_int_equal(*at++, '.');
    assert_true(text_scan_number(&at, &value));
    assert_int_equal(value, 34);
    assert_false(text_scan_number(&at, &value));
    assert_int_equal(*at, 'x');
}

static void compares(void **state) {
    (void)state;
    assert_true(text_equal("", ""));
    assert_true(text_equal("abc", "abc"));
    assert_false(text_equal("abc", "abcd"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_and_terminates), cmocka_unit_test(cuts_at_every_capacity),
        cmocka_unit_test(numbers_round_trip),     cmocka_unit_test(refuses_what_is_no_number),
        cmocka_unit_test(scans_and_stops),        cmocka_unit_test(compares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
