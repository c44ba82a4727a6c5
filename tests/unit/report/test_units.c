/* test_units.c - sizes print as CPython's _format_size prints them; the expected strings are its own. */
#include "check.h"
#include "render/units.h"

#include <inttypes.h>

static const struct {
    double size;
    int sign;
    const char *text;
} cases[] = {
    {0, 0, "0 B"},
    {1, 0, "1 B"},
    {84, 0, "84 B"},
    {100, 0, "100 B"},
    {10239, 0, "10239 B"},
    {10240, 0, "10.0 KiB"},
    {102348, 0, "99.9 KiB"},
    {102399, 0, "100.0 KiB"},
    {102400, 0, "100 KiB"},
    {10485759, 0, "10240 KiB"},
    {10485760, 0, "10.0 MiB"},
    {8388608, 0, "8192 KiB"},
    {1099511627776.0 * 10, 0, "10.0 TiB"},
    {1099511627776.0 * 100000, 0, "100000 TiB"},
    {0, 1, "+0 B"},
    {-1, 1, "-1 B"},
    {1536, 1, "+1536 B"},
    {-10240, 1, "-10.0 KiB"},
    {104857600, 1, "+100 MiB"},
    {83.88608, 0, "84 B"},
    {0.5, 0, "0 B"},
    {1.5, 0, "2 B"},
};

static void sizes_print_as_tracemalloc_prints_them(void **state) {
    char text[UNITS_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(units_size(cases[i].size, cases[i].sign != 0, text), cases[i].text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes_print_as_tracemalloc_prints_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
