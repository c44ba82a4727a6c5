/* test_chains.c - chains of inlined calls, functions and lines of fixtures whose source says what to expect.
 */
#include "fixture.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct expected {
    const char *function, *mark;
};

static void check_frame(const struct symbols_frame *frame, const char *source,
                        const struct expected *expected, bool inlined) {
    assert_non_null(frame->function);
    assert_string_equal(frame->function, expected->function);
    assert_true(fixture_is_source(frame->file, source));
    assert_int_equal(frame->line, fixture_line(source, expected->mark));
    assert_int_equal(frame->inlined, inlined);
}

static void check_chain(const char *name, const char *source, const struct expected expected[3]) {
    struct symbols_frame frames[16];
    if (!fixture_exists(name)) {
        print_message("skipped %s: no tool here to build it\n", name);
        return;
    }
    assert_int_equal(fixture_resolve(name, fixture_symbol(name, "mark_innermost"), frames), 3);
    for (int i = 0; i < 3; i++)
        check_frame(&frames[i], source, &expected[i], i < 2);
    assert_int_equal(fixture_status().quality, SYMBOLS_DWARF);
}

static void check_c(const char *name) {
    static const struct expected expected[3] = {
        {"innermost", "innermost"}, {"middle", "middle"}, {"outer", "outer"}};
    check_chain(name, "inlined.c", expected);
}

static void check_cxx(const char *name) {
    static const struct expected expected[3] = {{"house::Room::Room(int)", "innermost"},
                                                {"int house::build<int>(int)", "middle"},
                                                {"house::outer(int, char const*)", "outer"}};
    check_chain(name, "inlined.cc", expected);
}

static void c_chains_name_function_file_and_line(void **state) {
    (void)state;
    check_c("plain_c");
    check_c("dwarf4_c");
    check_c("clang_c");
}

static void cxx_chains_name_function_file_and_line(void **state) {
    (void)state;
    check_cxx("plain_cc");
    check_cxx("dwarf4_cc");
    check_cxx("clang_cc");
}

static void compressed_sections_are_read(void **state) {
    (void)state;
    check_c("zlib_c");
    check_c("zstd_c");
}

static void split_debug_info_is_followed(void **state) {
    (void)state;
    check_c("split_c");
}

static void missing_split_debug_info_leaves_lines_and_is_said(void **state) {
    const char *name = "gone/unsplit_c";
    struct symbols_frame frames[16];
    (void)state;
    assert_int_equal(fixture_resolve(name, fixture_symbol(name, "mark_innermost"), frames), 1);
    assert_string_equal(frames[0].function, "outer");
    assert_int_equal(frames[0].line, fixture_line("inlined.c", "innermost"));
    assert_non_null(strstr(fixture_status().reason, ".dwo"));
}

static void anonymous_namespaces_are_named(void **state) {
    struct symbols_frame frames[16];
    (void)state;
    assert_int_equal(fixture_resolve("plain_cc", fixture_symbol("plain_cc", "mark_hidden"), frames), 1);
    assert_string_equal(frames[0].function, "(anonymous namespace)::Hidden::count(long)");
    assert_int_equal(frames[0].line, fixture_line("inlined.cc", "hidden"));
}

static void unsized_symbols_reach_to_the_next_of_their_section(void **state) {
    struct symbols_frame frames[16];
    uint64_t first = fixture_symbol("plain_c", "unsized_first");
    uint64_t second = fixture_symbol("plain_c", "unsized_second");
    (void)state;
    assert_int_equal(fixture_resolve("plain_c", second + 1, frames), 1);
    assert_string_equal(frames[0].function, "unsized_second");
    assert_int_equal(fixture_resolve("plain_c", first, frames), 1);
    assert_string_equal(frames[0].function, "unsized_first");
}

static void addresses_outside_of_functions_have_no_name(void **state) {
    static const uint64_t outside[] = {0, 1, 0x10, 0x7fffffff, UINT64_MAX};
    struct symbols_frame frames[16];
    (void)state;
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        assert_int_equal(fixture_resolve("plain_c", outside[i], frames), 0);
}

static void a_short_array_keeps_the_innermost(void **state) {
    struct symbols_frame frames[2] = {{0}, {.function = "untouched"}};
    struct symbols_module module = {.path = fixture_path("plain_c")};
    struct symbols *symbols = symbols_new(NULL);
    uint64_t address = fixture_symbol("plain_c", "mark_innermost");
    (void)state;
    assert_int_equal(symbols_resolve(symbols, symbols_add_module(symbols, &module), address, frames, 1), 1);
    assert_string_equal(frames[0].function, "innermost");
    assert_string_equal(frames[1].function, "untouched");
    assert_int_equal(symbols_resolve(symbols, 0, address, frames, 0), 0);
    assert_int_equal(symbols_resolve(symbols, 99, address, frames, 2), 0);
    symbols_free(symbols);
}

static void equal_strings_have_equal_pointers(void **state) {
    struct symbols_frame first[16], second[16];
    struct symbols_module module = {.path = fixture_path("plain_c")};
    struct symbols *symbols = symbols_new(NULL);
    (void)state;
    size_t id = symbols_add_module(symbols, &module);
    assert_int_equal(symbols_add_module(symbols, &module), id);
    assert_int_equal(symbols_status(symbols, id).quality, SYMBOLS_UNOPENED);
    assert_int_equal(symbols_resolve(symbols, id, fixture_symbol("plain_c", "mark_innermost"), first, 16), 3);
    assert_int_equal(symbols_resolve(symbols, id, fixture_symbol("plain_c", "main"), second, 16), 1);
    assert_ptr_equal(first[0].file, first[2].file);
    assert_ptr_equal(first[0].file, second[0].file);
    symbols_free(symbols);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_chains_name_function_file_and_line),
        cmocka_unit_test(cxx_chains_name_function_file_and_line),
        cmocka_unit_test(compressed_sections_are_read),
        cmocka_unit_test(split_debug_info_is_followed),
        cmocka_unit_test(missing_split_debug_info_leaves_lines_and_is_said),
        cmocka_unit_test(anonymous_namespaces_are_named),
        cmocka_unit_test(unsized_symbols_reach_to_the_next_of_their_section),
        cmocka_unit_test(addresses_outside_of_functions_have_no_name),
        cmocka_unit_test(a_short_array_keeps_the_innermost),
        cmocka_unit_test(equal_strings_have_equal_pointers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
