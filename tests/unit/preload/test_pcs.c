/* test_pcs.c - code addresses and their modules. */
#include "support.h"

#include "image/image.h"
#include "image/pcs.h"

#include <stdlib.h>

static void interns_once(void **state) {
    (void)state;
    uint64_t pc = (uintptr_t)interns_once;
    uint32_t id = pcs_intern(pc, 0);
    assert_true(id != 0);
    assert_int_equal(pcs_intern(pc, 0), id);
    assert_true(image_pcs[id].pc == pc);
    assert_int_equal(image_pcs[id].salt, 0);
    uint32_t module = image_pcs[id].module;
    assert_true(module != 0);
    assert_true(image_modules[module].start <= pc && pc < image_modules[module].end);
}

static void keeps_salts_apart(void **state) {
    (void)state;
    uint64_t pc = (uintptr_t)keeps_salts_apart;
    uint32_t before = pcs_intern(pc, 0), after = pcs_intern(pc, 1);
    assert_true(before != 0 && after != 0 && before != after);
    assert_int_equal(image_pcs[after].salt, 1);
    assert_int_equal(pcs_intern(pc, 1), after);
    assert_int_equal(pcs_intern(pc, 0), before);
}

static void tells_libraries_apart(void **state) {
    (void)state;
    uint32_t ours = pcs_intern((uintptr_t)tells_libraries_apart, 0), libc = pcs_intern((uintptr_t)abort, 0);
    assert_true(image_pcs[ours].module != 0 && image_pcs[libc].module != 0);
    assert_int_not_equal(image_pcs[ours].module, image_pcs[libc].module);
}

static void has_no_module_for_data(void **state) {
    (void)state;
    int local;
    assert_int_equal(image_pcs[pcs_intern((uintptr_t)&local, 0)].module, 0);
    assert_int_equal(image_pcs[pcs_intern(1, 0)].module, 0);
    assert_int_equal(image_pcs[pcs_intern(UINT64_MAX >> 1, 0)].module, 0);
}

static void holds_many(void **state) {
    (void)state;
    static uint32_t ids[SCALED(200000)];
    const uint32_t count = sizeof ids / sizeof *ids;
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = pcs_intern(0x100000 + i * 4, i % 3);
        assert_true(ids[i] != 0);
    }
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(pcs_intern(0x100000 + i * 4, i % 3), ids[i]);
        assert_true(image_pcs[ids[i]].pc == 0x100000 + i * 4 && image_pcs[ids[i]].salt == i % 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interns_once),
        cmocka_unit_test(keeps_salts_apart),
        cmocka_unit_test(tells_libraries_apart),
        cmocka_unit_test(has_no_module_for_data),
        cmocka_unit_test(holds_many),
    };
    return cmocka_run_group_tests(tests, setup_image, NULL);
}
