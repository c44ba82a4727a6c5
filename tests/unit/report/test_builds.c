/* test_builds.c - which modules of two sources are compared, and how; frames that are made those of the
 * newer. */
#include "world.h"

#include "stats/builds.h"

#include <string.h>

/* Two sources without a heap: modules, each with one PC. */
struct sources {
    struct tables *old, *new;
    struct symbols *symbols;
    struct builds *builds;
};

enum { NONE = 0, RED = 1, BLUE = 2, GREEN = 3 }; /* build-ids */

static void add_module(struct tables *tables, const char *path, uint8_t id) {
    uint32_t module = make_module(tables, path, 0x10000);
    struct ht_module *at = (struct ht_module *)tables->region[HT_REGION_MODULES].at + module;
    at->build_id_bytes = id != NONE ? 2 : 0;
    at->build_id[0] = id;
    make_pc(tables, MAIN + 0x10001, module);
}

static struct sources begin(enum symbols_quality quality) {
    struct sources self = {.old = make_tables(), .new = make_tables(), .symbols = symbols_new(NULL)};
    fake_symbols_forget();
    fake_symbols_set_quality(quality);
    self.builds = builds_new(self.symbols);
    self.new->header.pid = 4343;
    return self;
}

static void match(struct sources *self) {
    assert_true(builds_add(self->builds, self->old, NULL));
    assert_true(builds_add(self->builds, self->new, NULL));
    assert_true(builds_compare(self->builds, self->new, NULL));
}

static void end(struct sources *self) {
    builds_free(self->builds);
    symbols_free(self->symbols);
    tables_free(self->old);
    tables_free(self->new);
}

/* What module `id` of the old source is compared with: a path, or null. */
static const char *partner(const struct sources *self, uint32_t id) {
    const struct build *build = builds_find(self->builds, self->old, id);
    assert_non_null(build);
    return build->as != NULL ? build->as->path : NULL;
}

static enum comparing comparing(const struct sources *self, uint32_t id) {
    return builds_find(self->builds, self->old, id)->comparing;
}

static void equal_build_ids_are_one_build(void **state) {
    (void)state;
    struct sources self = begin(SYMBOLS_DWARF);
    add_module(self.old, "/old/lib.so", RED);
    add_module(self.new, "/new/another.so", RED);
    add_module(self.new, "/new/lib.so", BLUE);
    match(&self);
    assert_string_equal(partner(&self, 1), "/new/another.so");
    assert_int_equal(comparing(&self, 1), COMPARED_BY_BUILD);
    end(&self);
}

static void a_path_goes_before_a_name(void **state) {
    (void)state;
    struct sources self = begin(SYMBOLS_DWARF);
    add_module(self.old, "/x/lib.so", RED);
    add_module(self.new, "/y/lib.so", BLUE);
    add_module(self.new, "/x/lib.so", BLUE);
    match(&self);
    assert_string_equal(partner(&self, 1), "/x/lib.so");
    assert_int_equal(comparing(&self, 1), COMPARED_BY_LINE);
    end(&self);
}

static void a_name_will_do_if_it_is_the_only_one(void **state) {
    (void)state;
    struct sources self = begin(SYMBOLS_DWARF);
    add_module(self.old, "/x/lib.so", RED);
    add_module(self.old, "/x/plugin.so", RED);
    add_module(self.old, "/x/one/part.so", RED);
    add_module(self.old, "/x/two/part.so", RED);
    add_module(self.new, "/y/lib.so (deleted)", BLUE);
    add_module(self.new, "/y/one/plugin.so", BLUE);
    add_module(self.new, "/y/two/plugin.so", BLUE);
    add_module(self.new, "/y/part.so", BLUE);
    match(&self);
    assert_string_equal(partner(&self, 1), "/y/lib.so");
    assert_null(partner(&self, 2)); /* there are two of them in the new source */
    assert_null(partner(&self, 3)); /* and here in the old one */
    assert_null(partner(&self, 4));
    end(&self);
}

static void symbols_decide_how(void **state) {
    (void)state;
    static const enum comparing expected[] = {COMPARED_NOT, COMPARED_BY_FUNCTION, COMPARED_BY_LINE};
    for (int quality = SYMBOLS_NONE; quality <= SYMBOLS_DWARF; quality++) {
        struct sources self = begin((enum symbols_quality)quality);
        add_module(self.old, "/x/lib.so", RED);
        add_module(self.old, "/x/same.so", GREEN);
        add_module(self.new, "/x/lib.so", BLUE);
        add_module(self.new, "/x/same.so", GREEN);
        match(&self);
        assert_int_equal(comparing(&self, 1), expected[quality]);
        assert_int_equal(comparing(&self, 2), COMPARED_BY_BUILD);
        assert_int_equal(builds_count(self.builds), 3);
        end(&self);
    }
}

static void without_build_ids_it_is_said(void **state) {
    (void)state;
    for (int one_process = 0; one_process <= 1; one_process++) {
        struct sources self = begin(SYMBOLS_DWARF);
        self.new->header.pid = self.old->header.pid + (one_process ? 0 : 1);
        add_module(self.old, "/x/lib.so", NONE);
        add_module(self.new, "/x/lib.so", NONE);
        match(&self);
        assert_int_equal(builds_of_one_process(self.builds), one_process);
        assert_int_equal(comparing(&self, 1), one_process ? COMPARED_BY_BUILD : COMPARED_BLINDLY);
        end(&self);
    }
}

/* ---- frames ---- */

/* Functions of the new build: f begins at /src/a.c:10, g is in two files a.c. */
static const struct symbols_frame new_f[] = {{"f", "/src/a.c", 12, false, 10}};
static const struct symbols_frame new_g[] = {{"g", "/src/a.c", 30, false, 29}};
static const struct symbols_frame other_g[] = {{"g", "/lib/a.c", 30, false, 29}};

static struct sources rebuilt(void) {
    struct sources self = begin(SYMBOLS_DWARF);
    fake_symbols_add(0x1000, new_f, 1);
    fake_symbols_add(0x2000, new_g, 1);
    fake_symbols_add(0x3000, other_g, 1);
    add_module(self.old, "/x/lib.so", RED);
    add_module(self.new, "/y/lib.so", BLUE);
    for (uint64_t address = 0x1000; address <= 0x3000; address += 0x1000)
        make_pc(self.new, address + 0x10001, 1);
    match(&self);
    return self;
}

static struct frame adapted(const struct sources *self, const struct tables *of, uint32_t first_line,
                            struct frame frame) {
    frame.module = tables_module_name(of, 1);
    builds_adapt(self->builds, builds_find(self->builds, of, 1), first_line, &frame);
    assert_string_equal(frame.module, "/y/lib.so");
    return frame;
}

static void lines_count_from_where_functions_begin(void **state) {
    (void)state;
    struct sources self = rebuilt();
    struct frame line = {.function = "f", .file = "/src/a.c", .line = 5};
    assert_int_equal(adapted(&self, self.old, 3, line).line, 12);
    assert_null(adapted(&self, self.old, 3, line).build);
    assert_int_equal(adapted(&self, self.old, 0, line).line, 5); /* nobody knows where it began */
    line.file = "/home/src/a.c";                                 /* compiled elsewhere */
    assert_string_equal(adapted(&self, self.old, 3, line).file, "/src/a.c");
    assert_int_equal(adapted(&self, self.old, 3, line).line, 12);
    line.line = 12; /* those of the reference are what they are */
    assert_string_equal(adapted(&self, self.new, 10, line).file, "/home/src/a.c");
    assert_int_equal(adapted(&self, self.new, 10, line).line, 12);
    end(&self);
}

static void lines_of_unknown_functions_are_no_others(void **state) {
    (void)state;
    struct sources self = rebuilt();
    struct frame line = {.function = "h", .file = "/src/a.c", .line = 12};
    assert_string_equal(adapted(&self, self.old, 10, line).build, "0100");
    assert_int_equal(adapted(&self, self.old, 10, line).line, 12);
    line.function = "g";
    line.file = "/home/a.c"; /* which of the two? */
    assert_string_equal(adapted(&self, self.old, 10, line).build, "0100");
    line.file = "/lib/a.c";
    assert_null(adapted(&self, self.old, 10, line).build);
    end(&self);
}

static void places_lose_their_offset_if_they_have_a_function(void **state) {
    (void)state;
    struct sources self = rebuilt();
    struct frame place = {.function = "f", .offset = 7, .has_offset = true, .build = "0100"};
    assert_false(adapted(&self, self.old, 0, place).has_offset);
    assert_int_equal(adapted(&self, self.old, 0, place).offset, 0);
    assert_null(adapted(&self, self.new, 0, place).build);
    place.function = NULL;
    assert_true(adapted(&self, self.old, 0, place).has_offset);
    assert_string_equal(adapted(&self, self.old, 0, place).build, "0100");
    end(&self);
}

/* ---- addresses without a module ---- */

/* How many rows two stacks of unknown addresses are. */
static size_t rows_of_unknown(bool one_process) {
    struct sources self = begin(SYMBOLS_DWARF);
    struct world world = world_begin();
    uint32_t first = make_pc(world.tables, 0x7000, 0), second = make_pc(world.tables, 0x8000, 0);
    make_cell(world.tables, make_stack(world.tables, 0, 0, &first, 1), 1, 8, 0);
    make_cell(world.tables, make_stack(world.tables, 0, 0, &second, 1), 1, 8, 0);
    self.old->header.pid = world.tables->header.pid + (one_process ? 0 : 1);
    assert_true(builds_add(self.builds, self.old, NULL));
    assert_true(builds_add(self.builds, world.tables, NULL));
    assert_true(builds_compare(self.builds, world.tables, NULL));
    world_load(&world);
    assert_true(traces_use_builds(world.traces, self.builds));
    world_group(&world, (struct query){.keys = {KEY_LINENO}});
    size_t rows = world.statistics.count;
    assert_string_equal(row_frame(&world, 0)->module, "[unknown]");
    world_end(&world);
    end(&self);
    return rows;
}

static void addresses_say_something_in_one_process_alone(void **state) {
    (void)state;
    assert_int_equal(rows_of_unknown(true), 2);
    assert_int_equal(rows_of_unknown(false), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_build_ids_are_one_build),
        cmocka_unit_test(a_path_goes_before_a_name),
        cmocka_unit_test(a_name_will_do_if_it_is_the_only_one),
        cmocka_unit_test(symbols_decide_how),
        cmocka_unit_test(without_build_ids_it_is_said),
        cmocka_unit_test(lines_count_from_where_functions_begin),
        cmocka_unit_test(lines_of_unknown_functions_are_no_others),
        cmocka_unit_test(places_lose_their_offset_if_they_have_a_function),
        cmocka_unit_test(addresses_say_something_in_one_process_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
