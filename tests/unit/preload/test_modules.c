/* test_modules.c - which object a code address belongs to, also after it is gone. */
#define _GNU_SOURCE
#include "support.h"

#include "image/image.h"
#include "image/modules.h"
#include "image/pcs.h"
#include "unwind/reused_code.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static uintptr_t here(void) {
    return (uintptr_t)here;
}

static const struct ht_module *module_of(uintptr_t pc) {
    uint32_t index = modules_find(pc);
    assert_true(index != 0);
    assert_int_equal(image_modules[index].valid, 1);
    return &image_modules[index];
}

static const char *path_of(const struct ht_module *module) {
    return image_strings + module->path;
}

static void build_id_is(const struct ht_module *module, const char *path) {
    char command[1500], line[512], ours[2 * HT_BUILD_ID_BYTES + 1] = "", theirs[512] = "";
    for (uint32_t i = 0; i < module->build_id_bytes; i++)
        snprintf(ours + 2 * i, 3, "%02x", module->build_id[i]);
    snprintf(command, sizeof command, "readelf -n '%s' 2>/dev/null", path);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    while (fgets(line, sizeof line, out) != NULL)
        sscanf(line, " Build ID: %511s", theirs);
    pclose(out);
    assert_string_equal(ours, theirs);
    assert_true(strlen(ours) >= 16);
}

static void finds_the_program(void **state) {
    (void)state;
    char executable[1024];
    ssize_t got = readlink("/proc/self/exe", executable, sizeof executable - 1);
    assert_true(got > 0);
    executable[got] = '\0';
    const struct ht_module *module = module_of(here());
    assert_string_equal(path_of(module), executable);
    assert_true(module->start <= here() && here() < module->end);
    assert_int_equal(module->unmapped_ns, 0);
    build_id_is(module, executable);
}

static void finds_the_libc(void **state) {
    (void)state;
    const struct ht_module *module = module_of((uintptr_t)&getauxval);
    assert_non_null(strstr(path_of(module), "libc.so.6"));
    build_id_is(module, path_of(module));
}

static void records_segments(void **state) {
    (void)state;
    const struct ht_module *module = module_of(here());
    bool found = false;
    assert_true(module->segment_count >= 2);
    for (uint32_t i = 0; i < module->segment_count; i++) {
        const struct ht_segment *segment = &module->segments[i];
        uint64_t at = module->load_bias + segment->vaddr;
        assert_true(at >= module->start && at + segment->memory_bytes <= module->end + 4096);
        if (here() >= at && here() < at + segment->memory_bytes)
            found = (segment->flags & PF_X) != 0;
    }
    assert_true(found);
}

static void finds_the_vdso(void **state) {
    (void)state;
    uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);
    if (vdso == 0)
        skip();
    uint32_t index = modules_find(vdso + 0x600);
    if (index != 0) /* whether the loader lists it is its affair */
        assert_string_equal(path_of(&image_modules[index]), "[vdso]");
}

static void finds_nothing_elsewhere(void **state) {
    (void)state;
    int local;
    assert_int_equal(modules_find((uintptr_t)&local), 0);
    assert_int_equal(modules_find(0), 0);
    assert_int_equal(modules_find(UINTPTR_MAX), 0);
}

static void records_once(void **state) {
    (void)state;
    modules_record_all();
    uint64_t used = image_header->regions[HT_REGION_MODULES].used_records;
    modules_record_all();
    modules_find(here());
    modules_sweep();
    assert_int_equal(image_header->regions[HT_REGION_MODULES].used_records, used);
    assert_int_equal(modules_find(here()), modules_find(here() + 1));
    assert_int_equal(reused_code_generation, 0);
    assert_int_equal(reused_code_salt(here()), 0);
}

static uintptr_t load(void **handle) {
    *handle = dlopen(FIXTURE_MODULE, RTLD_NOW);
    if (*handle == NULL)
        fail_msg("%s", dlerror());
    return (uintptr_t)dlsym(*handle, "fixture_function");
}

static void forgets_what_was_unloaded(void **state) {
    (void)state;
    void *handle;
    uintptr_t pc = load(&handle);
    uint32_t index = modules_find(pc), before = pcs_intern(pc, reused_code_salt(pc));
    assert_true(index != 0);
    assert_string_equal(path_of(&image_modules[index]), FIXTURE_MODULE);
    assert_int_equal(reused_code_salt(pc), 0);
    dlclose(handle);
    modules_sweep();
    assert_true(image_modules[index].unmapped_ns >= image_modules[index].mapped_ns);
    assert_true(image_modules[index].unmapped_ns != 0);
    assert_int_equal(reused_code_generation, 1);
    assert_int_equal(reused_code_salt(pc), 1);
    assert_int_equal(modules_find(pc), 0);
    modules_sweep(); /* nothing new */
    assert_int_equal(reused_code_generation, 1);
    assert_int_equal(reused_code_salt(pc), 1);
    assert_int_equal(reused_code_salt(here()), 0);

    uintptr_t again = load(&handle);
    uint32_t second = modules_find(again);
    assert_true(second != 0 && second != index);
    assert_int_equal(image_modules[second].unmapped_ns, 0);
    if (again == pc) /* as a rule */
        assert_true(pcs_intern(again, reused_code_salt(again)) != before);
    assert_int_equal(image_pcs[pcs_intern(again, reused_code_salt(again))].module, second);
    assert_int_equal(image_pcs[before].module, index);
    dlclose(handle);
    modules_sweep();
    assert_int_equal(reused_code_generation, 2);
    assert_int_equal(reused_code_salt(again), again == pc ? 2 : 1);
}

static void counts_many_turns(void **state) {
    (void)state;
    uint32_t generation = reused_code_generation;
    for (uint32_t i = 1; i <= 200; i++) {
        void *handle;
        uintptr_t pc = load(&handle);
        assert_true(modules_find(pc) != 0);
        assert_int_equal(modules_find(pc), modules_find(pc));
        dlclose(handle);
        modules_sweep();
        assert_int_equal(reused_code_generation, generation + i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_program),         cmocka_unit_test(finds_the_libc),
        cmocka_unit_test(records_segments),          cmocka_unit_test(finds_the_vdso),
        cmocka_unit_test(finds_nothing_elsewhere),   cmocka_unit_test(records_once),
        cmocka_unit_test(forgets_what_was_unloaded), cmocka_unit_test(counts_many_turns),
    };
    return cmocka_run_group_tests(tests, setup_image, NULL);
}
