/* test_hostile.c - damaged files: cut at many lengths, bytes flipped at random places. Nothing may crash,
 * hang or grow without bounds; what is answered does not matter. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define CUTS  150
#define FLIPS 1000

struct bytes {
    unsigned char *data;
    size_t size;
};

static uint64_t seed = 0x9e3779b97f4a7c15u; /* HOSTILE_SEED in the environment sets another */

static uint64_t next_random(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static struct bytes load(const char *name) {
    struct bytes bytes = {malloc(1 << 20), 0};
    FILE *file = fopen(fixture_path(name), "re");
    assert_non_null(file);
    assert_non_null(bytes.data);
    bytes.size = fread(bytes.data, 1, 1 << 20, file);
    fclose(file);
    assert_true(bytes.size > 1000);
    return bytes;
}

static void store(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

/* Asks for addresses all over the text, in the way that the command does. */
static void use(const char *path, uint64_t middle) {
    struct symbols_frame frames[16];
    struct symbols_module module = {.path = path};
    struct symbols *symbols = symbols_new(NULL);
    assert_non_null(symbols);
    size_t id = symbols_add_module(symbols, &module);
    for (uint64_t address = middle - 256; address < middle + 256; address += 7) {
        assert_true(symbols_resolve(symbols, id, address, frames, 16) <= 16);
        symbols_callee(symbols, id, address);
    }
    for (size_t i = 0; symbols_suppression(symbols, id, i); i++)
        assert_true(i < 100000);
    assert_non_null(symbols_status(symbols, id).reason);
    symbols_free(symbols);
}

static void cut(const char *name, uint64_t middle) {
    char path[4096];
    snprintf(path, sizeof path, "%s", fixture_path("hostile"));
    struct bytes bytes = load(name);
    for (size_t i = 0; i < CUTS; i++) {
        store(path, bytes.data, bytes.size * i / CUTS);
        use(path, middle);
    }
    free(bytes.data);
    unlink(path);
}

/* Where to damage: mostly the debug info and the headers behind it, which follow the program's first pages.
 */
static size_t pick(size_t size) {
    size_t behind = size > 0x3000 ? 0x3000 : 0;
    return next_random() % 8 ? behind + next_random() % (size - behind) : next_random() % size;
}

static void flip(const char *name, uint64_t middle) {
    char path[4096];
    snprintf(path, sizeof path, "%s", fixture_path("hostile"));
    struct bytes bytes = load(name);
    unsigned char *damaged = malloc(bytes.size);
    assert_non_null(damaged);
    for (size_t i = 0; i < FLIPS; i++) {
        memcpy(damaged, bytes.data, bytes.size);
        for (uint64_t n = 1 + next_random() % 16; n > 0; n--)
            damaged[pick(bytes.size)] = (unsigned char)next_random();
        store(path, damaged, bytes.size);
        use(path, middle);
    }
    free(damaged);
    free(bytes.data);
    unlink(path);
}

static void damaged_c_files_do_no_harm(void **state) {
    static const char *const names[] = {"plain_c", "dwarf4_c", "clang_c", "zlib_c", "zstd_c"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!fixture_exists(names[i]))
            continue;
        cut(names[i], fixture_symbol(names[i], "mark_innermost"));
        flip(names[i], fixture_symbol(names[i], "mark_innermost"));
    }
}

static void damaged_cxx_files_do_no_harm(void **state) {
    (void)state;
    cut("plain_cc", fixture_symbol("plain_cc", "mark_innermost"));
    flip("plain_cc", fixture_symbol("plain_cc", "mark_innermost"));
    flip("dwarf4_cc", fixture_symbol("dwarf4_cc", "mark_innermost"));
}

static void damaged_packed_symbols_do_no_harm(void **state) {
    (void)state;
    cut("mini_c", fixture_symbol("plain_c", "mark_innermost"));
    flip("mini_c", fixture_symbol("plain_c", "mark_innermost"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_c_files_do_no_harm),
        cmocka_unit_test(damaged_cxx_files_do_no_harm),
        cmocka_unit_test(damaged_packed_symbols_do_no_harm),
    };
    const char *wanted = getenv("HOSTILE_SEED");
    if (wanted)
        seed = strtoull(wanted, NULL, 0) | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
