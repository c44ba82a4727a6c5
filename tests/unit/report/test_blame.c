/* test_blame.c - which names and files are passed over. */
#include "check.h"
#include "stats/blame.h"

#include <stdio.h>

static void expect_name(const char *function, const char *expected) {
    char name[200];
    blame_qualified_name(function, name, sizeof name);
    assert_string_equal(name, expected);
}

static void names_lose_their_types(void **state) {
    (void)state;
    expect_name("main", "main");
    expect_name("Table::add(int)", "Table::add");
    expect_name("void std::vector<int, std::allocator<int> >::push_back(int const&)",
                "std::vector<int, std::allocator<int> >::push_back");
    expect_name("std::vector<int> make<int>(int)", "make<int>");
    expect_name("operator new(unsigned long)", "operator new");
    expect_name("operator new[](unsigned long, std::nothrow_t const&)", "operator new[]");
    expect_name("Foo::operator()(int) const", "Foo::operator()");
    expect_name("Foo::operator std::string() const", "Foo::operator std::string");
    expect_name("bool operator<<int>(Foo)", "operator<<int>");
    expect_name("(anonymous namespace)::grow(unsigned long)", "(anonymous namespace)::grow");
    expect_name("std::string (anonymous namespace)::join<3>(int)", "(anonymous namespace)::join<3>");
    expect_name("run()::{lambda(int)#1}::operator()(int) const", "run");
    expect_name("<alloc::vec::Vec<T> as core::iter::Extend<T>>::extend",
                "<alloc::vec::Vec<T> as core::iter::Extend<T>>::extend");
    expect_name("", "");
    expect_name(">>>)))", ">>>)))");
    expect_name("(((<<<", "");
    char tiny[4];
    blame_qualified_name("function", tiny, sizeof tiny);
    assert_string_equal(tiny, "fun");
}

static bool skips_by(const struct blame *blame, const struct frame *frame) {
    struct blame_judge *judge = blame_judge_new(blame);
    assert_non_null(judge);
    bool result = blame_skips(judge, frame);
    blame_judge_free(judge);
    return result;
}

static bool skips(const char *function, const char *file) {
    const struct blame blame = {0};
    const struct frame frame = {.function = function, .file = file, .module = "/usr/bin/x", .line = 1};
    return skips_by(&blame, &frame);
}

static void wrappers_are_passed_over(void **state) {
    (void)state;
    assert_true(skips("xmalloc", NULL));
    assert_true(skips("strdup", NULL));
    assert_true(skips("operator new(unsigned long)", NULL));
    assert_true(skips("operator new[](unsigned long)", NULL));
    assert_true(skips("std::string::_M_create(unsigned long&, unsigned long)", NULL));
    assert_true(skips("whatever", "/usr/include/c++/12/bits/stl_vector.h"));
    assert_true(skips("alloc::raw_vec::finish_grow", NULL));
    assert_true(skips("push", "/rustc/90c5418/library/alloc/src/vec/mod.rs"));
    assert_true(skips("g_malloc0", NULL));
}

static void the_users_code_is_not(void **state) {
    (void)state;
    assert_false(skips("main", "/src/main.c"));
    assert_false(skips("std::vector<int> make<int>(int)", "/src/make.cc"));
    assert_false(skips("grow(std::vector<int>&)", "/src/make.cc"));
    assert_false(skips("malloc_stats_page", "/src/page.c"));
    assert_false(skips(NULL, "/src/main.c"));
    assert_false(skips(NULL, NULL));
    assert_false(skips("operator new[[]]", NULL)); /* a pattern, not a name */
}

static void the_users_patterns_match_names_files_and_modules(void **state) {
    (void)state;
    const char *patterns[] = {"pool_*", "*/vendor/*", "*/libz.so*"};
    const struct blame blame = {.extra = patterns, .extra_count = 3};
    assert_true(skips_by(&blame, &(struct frame){.function = "pool_get", .module = "/x"}));
    assert_true(skips_by(&blame, &(struct frame){.file = "/src/vendor/a.c", .module = "/x"}));
    assert_true(skips_by(&blame, &(struct frame){.module = "/lib/libz.so.1", .has_offset = true}));
    assert_false(skips_by(&blame, &(struct frame){.function = "spool", .module = "/x"}));
}

static void what_is_kept_is_never_passed_over(void **state) {
    (void)state;
    const char *extra[] = {"pool_*"}, *kept[] = {"std::regex*", "pool_get", "*/vendor/*"};
    const struct blame blame = {.extra = extra, .extra_count = 1, .kept = kept, .kept_count = 3};
    assert_true(skips_by(&blame, &(struct frame){.function = "std::string::append()", .module = "/x"}));
    assert_false(skips_by(&blame, &(struct frame){.function = "std::regex::regex()", .module = "/x"}));
    assert_true(skips_by(&blame, &(struct frame){.function = "pool_put", .module = "/x"}));
    assert_false(skips_by(&blame, &(struct frame){.function = "pool_get", .module = "/x"}));
    assert_false(
        skips_by(&blame, &(struct frame){.function = "xmalloc", .file = "/vendor/a.c", .module = "/x"}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lose_their_types),
        cmocka_unit_test(wrappers_are_passed_over),
        cmocka_unit_test(the_users_code_is_not),
        cmocka_unit_test(the_users_patterns_match_names_files_and_modules),
        cmocka_unit_test(what_is_kept_is_never_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
