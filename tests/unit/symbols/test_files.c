/* test_files.c - which files are used for a module, which are refused, and what is said about it. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* One module in a symboliser of its own; what was found is copied out of it. */
struct found {
    enum symbols_quality quality;
    char reason[4096], function[256], file[4096];
    size_t count;
    unsigned line;
};

static struct found look(const struct symbols_options *options, const struct symbols_module *module,
                         uint64_t address) {
    struct found found = {0};
    struct symbols_frame frames[16] = {{0}};
    struct symbols *symbols = symbols_new(options);
    assert_non_null(symbols);
    size_t id = symbols_add_module(symbols, module);
    found.count = symbols_resolve(symbols, id, address, frames, 16);
    struct symbols_status status = symbols_status(symbols, id);
    found.quality = status.quality;
    snprintf(found.reason, sizeof found.reason, "%s", status.reason);
    snprintf(found.function, sizeof found.function, "%s", frames[0].function ? frames[0].function : "");
    snprintf(found.file, sizeof found.file, "%s", frames[0].file ? frames[0].file : "");
    found.line = frames[0].line;
    symbols_free(symbols);
    return found;
}

static struct found look_at(const char *name, uint64_t address) {
    struct symbols_module module = {.path = fixture_path(name)};
    return look(NULL, &module, address);
}

static void check_full(const struct found *found) {
    assert_int_equal(found->quality, SYMBOLS_DWARF);
    assert_int_equal(found->count, 3);
    assert_string_equal(found->function, "innermost");
    assert_int_equal(found->line, fixture_line("inlined.c", "innermost"));
}

static void debug_files_are_found_by_build_id(void **state) {
    const char *dirs[] = {fixture_path("debug"), NULL};
    struct symbols_options options = {.debug_dirs = dirs};
    struct symbols_module module = {.path = fixture_path("byid_c")};
    uint64_t address = fixture_symbol("plain_c", "mark_innermost");
    (void)state;
    struct found found = look(&options, &module, address);
    check_full(&found);
    assert_non_null(strstr(found.reason, ".build-id"));
    found = look(NULL, &module, address);
    assert_int_equal(found.quality, SYMBOLS_NONE);
    assert_int_equal(found.count, 0);
    assert_non_null(strstr(found.reason, "debug symbols"));
}

static void a_module_that_is_gone_is_found_by_its_build_id(void **state) {
    uint8_t id[64];
    const char *dirs[] = {fixture_path("debug"), NULL};
    struct symbols_options options = {.debug_dirs = dirs};
    struct symbols_module module = {"/nowhere/program (deleted)", id, fixture_build_id("plain_c", id)};
    (void)state;
    struct found found = look(&options, &module, fixture_symbol("plain_c", "mark_innermost"));
    check_full(&found);
}

static void debug_links_are_followed(void **state) {
    (void)state;
    struct found found = look_at("link/linked_c", fixture_symbol("linked_reference_c", "mark_innermost"));
    check_full(&found);
    found = look_at("link/checksum_c", fixture_symbol("checksum_reference_c", "mark_innermost"));
    check_full(&found);
}

static void a_linked_file_with_another_checksum_is_refused(void **state) {
    (void)state;
    struct found found =
        look_at("spoilt/checksum_c", fixture_symbol("checksum_reference_c", "mark_innermost"));
    assert_int_equal(found.quality, SYMBOLS_NONE);
    assert_int_equal(found.count, 0);
}

static void symbols_packed_with_xz_are_read(void **state) {
    uint64_t address = fixture_symbol("plain_c", "mark_innermost");
    (void)state;
    struct found found = look_at("mini_c", address);
    assert_int_equal(found.quality, SYMBOLS_TABLE);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.function, "outer");
    assert_string_equal(found.file, "");
    assert_non_null(strstr(found.reason, ".gnu_debugdata"));
}

static void what_dwz_shares_is_found(void **state) {
    (void)state;
    if (!fixture_exists("dwz_cc")) {
        print_message("skipped: dwz is not installed\n");
        return;
    }
    struct found found = look_at("dwz_cc", fixture_symbol("dwz_reference_cc", "mark_innermost"));
    assert_int_equal(found.count, 3);
    assert_string_equal(found.function, "house::Room::Room(int)");
    assert_non_null(strstr(found.reason, "shared.dwz"));
}

static void another_build_is_refused_with_both_ids(void **state) {
    uint8_t id[64];
    char text[129] = "";
    struct symbols_module module = {fixture_path("other_c"), id, fixture_build_id("plain_c", id)};
    (void)state;
    struct found found = look(NULL, &module, fixture_symbol("other_c", "mark_innermost"));
    assert_int_equal(found.quality, SYMBOLS_NONE);
    assert_int_equal(found.count, 0);
    for (size_t i = 0; i < module.build_id_bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", id[i]);
    assert_non_null(strstr(found.reason, text));
    assert_non_null(strstr(found.reason, "0123456789abcdef"));
}

static void the_same_build_is_accepted(void **state) {
    uint8_t id[64];
    struct symbols_module module = {fixture_path("plain_c"), id, fixture_build_id("plain_c", id)};
    (void)state;
    struct found found = look(NULL, &module, fixture_symbol("plain_c", "mark_innermost"));
    check_full(&found);
}

static void a_deleted_file_is_used_only_if_its_build_id_matches(void **state) {
    uint8_t id[64];
    char path[4200];
    snprintf(path, sizeof path, "%s (deleted)", fixture_path("plain_c"));
    struct symbols_module module = {path, id, fixture_build_id("plain_c", id)};
    uint64_t address = fixture_symbol("plain_c", "mark_innermost");
    (void)state;
    struct found found = look(NULL, &module, address);
    check_full(&found);
    module.build_id_bytes = 0;
    found = look(NULL, &module, address);
    assert_int_equal(found.quality, SYMBOLS_NONE);
    assert_non_null(strstr(found.reason, "deleted"));
}

static void a_sysroot_is_prefixed(void **state) {
    struct symbols_options options = {.sysroot = FIXTURES};
    struct symbols_module module = {.path = "/plain_c"};
    (void)state;
    struct found found = look(&options, &module, fixture_symbol("plain_c", "mark_innermost"));
    check_full(&found);
}

static void a_file_without_symbols_names_nothing(void **state) {
    (void)state;
    struct found found = look_at("bare_c", fixture_symbol("bare_reference_c", "mark_innermost"));
    assert_int_equal(found.quality, SYMBOLS_NONE);
    assert_int_equal(found.count, 0);
}

static void what_is_no_elf_file_is_said(void **state) {
    static const char *const paths[] = {"/nowhere/at/all", "/dev/zero",           "/", "",
                                        "relative",        FIXTURES "/../fixture"};
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct symbols_module module = {.path = paths[i]};
        struct found found = look(NULL, &module, 0x1000);
        assert_int_equal(found.quality, SYMBOLS_NONE);
        assert_int_equal(found.count, 0);
        assert_non_null(strstr(found.reason, "not"));
    }
}

static void a_fifo_does_not_block(void **state) {
    const char *path = fixture_path("fifo");
    struct symbols_module module = {.path = path};
    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(look(NULL, &module, 0x1000).quality, SYMBOLS_NONE);
    unlink(path);
}

static void the_vdso_of_another_kernel_is_not_trusted(void **state) {
    static const uint8_t id[20] = {1, 2, 3};
    struct symbols_module unknown = {.path = "[vdso]"}, other = {"[vdso]", id, sizeof id};
    (void)state;
    assert_int_equal(look(NULL, &unknown, 0xa00).quality, SYMBOLS_NONE);
    assert_int_equal(look(NULL, &other, 0xa00).quality, SYMBOLS_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(debug_files_are_found_by_build_id),
        cmocka_unit_test(a_module_that_is_gone_is_found_by_its_build_id),
        cmocka_unit_test(debug_links_are_followed),
        cmocka_unit_test(a_linked_file_with_another_checksum_is_refused),
        cmocka_unit_test(symbols_packed_with_xz_are_read),
        cmocka_unit_test(what_dwz_shares_is_found),
        cmocka_unit_test(another_build_is_refused_with_both_ids),
        cmocka_unit_test(the_same_build_is_accepted),
        cmocka_unit_test(a_deleted_file_is_used_only_if_its_build_id_matches),
        cmocka_unit_test(a_sysroot_is_prefixed),
        cmocka_unit_test(a_file_without_symbols_names_nothing),
        cmocka_unit_test(what_is_no_elf_file_is_said),
        cmocka_unit_test(a_fifo_does_not_block),
        cmocka_unit_test(the_vdso_of_another_kernel_is_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
