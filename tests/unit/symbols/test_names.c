/* test_names.c - demangling, interning, paths of sources, flattened ranges. */
#include "demangle.h"
#include "intervals.h"
#include "names.h"
#include "source_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void mangled_names_become_readable(void **state) {
    static const struct {
        const char *mangled, *readable;
    } cases[] = {
        {"_ZN5house5outerEiPKc", "house::outer(int, char const*)"},
        {"_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector<int, std::allocator<int> >::push_back(int&&)"},
        {"_ZN1SC4Ev", "S::S()"},
        {"_ZL3addii.isra.0", "add(int, int) [clone .isra.0]"},
        {"_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt"},
        {"_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$"
         "3bar17h930b740aa94f1d3aE",
         "<Test + 'static as foo::Bar<Test>>::bar"},
        {"_RNvC6_123foo3bar", "123foo::bar"},
        {"_RNvNtNtCs1234_7mycrate3foo3bar3baz", "mycrate::foo::bar::baz"},
        {"_D4core6memory2GC6mallocFNaNbkkxC8TypeInfoZPv",
         "core.memory.GC.malloc(uint, uint, const(TypeInfo))"},
        {"_D3std5stdio12__ModuleInfoZ", "ModuleInfo for std.stdio"},
        {"_Dmain", "D main"},
    };
    struct names *names = names_new();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(names_readable(names, cases[i].mangled), cases[i].readable);
    names_free(names);
}

static void plain_names_stay(void **state) {
    static const char *const plain[] = {"main",         "f",           "_start",   "i",
                                        "outer.part.0", "_Deallocate", "_ZBroken", "_Rubbish",
                                        "_D9x",         "_Z",          "_",        ""};
    struct names *names = names_new();
    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        assert_string_equal(names_readable(names, plain[i]), plain[i]);
    assert_string_equal(names_readable(names, "memcpy@@GLIBC_2.14"), "memcpy");
    assert_string_equal(names_readable(names, "memcpy@GLIBC_2.2.5"), "memcpy");
    assert_string_equal(names_readable(names, "_ZdlPv@@GLIBCXX_3.4"), "operator delete(void*)");
    names_free(names);
}

static void very_long_names_are_left_alone(void **state) {
    char *name = malloc(100001);
    (void)state;
    assert_non_null(name);
    memset(name, 'P', 100000);
    memcpy(name, "_Z1f", 4);
    name[100000] = '\0';
    assert_null(demangle(name));
    name[8000] = '\0';
    free(demangle(name));
    free(name);
}

/* Each parameter is a template of the one before it, twice: 30 of them would print 2^30 times "int". */
static void names_that_explode_are_left_alone(void **state) {
    char name[2048] = "_Z1f1AIiiE";
    size_t length = strlen(name);
    (void)state;
    for (int i = 0; i < 30; i++) {
        char digit[2] = {(char)(i < 10 ? '0' + i : 'A' + i - 10), '\0'};
        length += (size_t)snprintf(name + length, sizeof name - length, "S_IS%s_S%s_E", digit, digit);
    }
    assert_null(demangle(name));
}

static void long_names_of_real_programs_are_demangled(void **state) {
    char name[2048] = "_Z1f";
    (void)state;
    for (int i = 0; i < 120; i++)
        strcat(name, "13a_longer_name");
    char *text = demangle(name);
    assert_non_null(text);
    assert_int_equal(strncmp(text, "f(a_longer_name, a_longer_name", 30), 0);
    free(text);
}

static void equal_texts_are_one(void **state) {
    struct names *names = names_new();
    const char *first = names_intern(names, "name 7");
    char text[32];
    (void)state;
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "name %d", i);
        assert_string_equal(names_intern(names, text), text);
    }
    assert_ptr_equal(names_intern(names, "name 7"), first);
    names_free(names);
}

static void paths_are_absolute_and_normal(void **state) {
    static const struct {
        const char *directory, *name, *path;
    } cases[] = {
        {"/src", "a.c", "/src/a.c"},
        {"/src/", "./a.c", "/src/a.c"},
        {"/src/build", "../a.c", "/src/a.c"},
        {"/src", "/usr/include/x.h", "/usr/include/x.h"},
        {NULL, "/a/./b//c/../d.c", "/a/b/d.c"},
        {NULL, "/../../a.c", "/a.c"},
        {NULL, "../a.c", "../a.c"},
        {NULL, "a/../../b.c", "../b.c"},
        {".", "x.c", "x.c"},
        {"/", "x.c", "/x.c"},
        {"rel", "x/..", "rel"},
        {"", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = source_path(cases[i].directory, cases[i].name);
        assert_string_equal(path, cases[i].path);
        free(path);
    }
}

static void the_innermost_range_is_found(void **state) {
    struct intervals ranges = {0};
    (void)state;
    assert_int_equal(intervals_find(&ranges, 5), INTERVALS_NONE);
    intervals_add(&ranges, (struct interval){10, 50, 0, 1});
    intervals_add(&ranges, (struct interval){20, 30, 1, 2});
    intervals_add(&ranges, (struct interval){20, 30, 2, 3});
    intervals_add(&ranges, (struct interval){25, 25, 3, 4});
    intervals_add(&ranges, (struct interval){45, 60, 0, 5});
    intervals_add(&ranges, (struct interval){UINT64_MAX - 1, UINT64_MAX, 0, 6});
    assert_true(intervals_flatten(&ranges));
    static const uint64_t at[] = {9, 10, 20, 25, 29, 30, 44, 45, 59, 60, UINT64_MAX - 1, UINT64_MAX};
    static const uint32_t is[] = {INTERVALS_NONE, 1, 3, 3, 3, 1, 1, 5, 5, INTERVALS_NONE, 6, INTERVALS_NONE};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        assert_int_equal(intervals_find(&ranges, at[i]), is[i]);
    intervals_clear(&ranges);
}

/* The definition, applied to every range: the latest start, then the shortest, then the rank. */
static uint32_t slow_find(const struct interval *items, size_t count, uint64_t address) {
    const struct interval *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct interval *item = &items[i];
        if (address < item->low || address >= item->high)
            continue;
        if (!best || item->low > best->low || (item->low == best->low && item->high < best->high) ||
            (item->low == best->low && item->high == best->high && item->rank > best->rank))
            best = item;
    }
    return best ? best->value : INTERVALS_NONE;
}

static void flattened_ranges_agree_with_a_slow_search(void **state) {
    unsigned seed = 42;
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct interval items[40];
        struct intervals ranges = {0};
        for (uint32_t i = 0; i < 40; i++) {
            seed = seed * 1103515245u + 12345u;
            uint64_t low = (seed >> 16) % 100, length = (seed >> 8) % 30;
            items[i] = (struct interval){low, low + length, i, i};
            assert_true(intervals_add(&ranges, items[i]));
        }
        assert_true(intervals_flatten(&ranges));
        for (uint64_t address = 0; address < 140; address++)
            assert_int_equal(intervals_find(&ranges, address), slow_find(items, 40, address));
        intervals_clear(&ranges);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mangled_names_become_readable),
        cmocka_unit_test(plain_names_stay),
        cmocka_unit_test(very_long_names_are_left_alone),
        cmocka_unit_test(names_that_explode_are_left_alone),
        cmocka_unit_test(long_names_of_real_programs_are_demangled),
        cmocka_unit_test(equal_texts_are_one),
        cmocka_unit_test(paths_are_absolute_and_normal),
        cmocka_unit_test(the_innermost_range_is_found),
        cmocka_unit_test(flattened_ranges_agree_with_a_slow_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
