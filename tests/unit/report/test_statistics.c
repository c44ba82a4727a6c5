/* test_statistics.c - grouping by keys, blame and order, on a heap whose frames the test makes up. */
#include "world.h"

static void lines_are_grouped_and_ordered(void **state) {
    (void)state;
    struct world world = world_begin();
    WORLD_ADD(&world, 2, 100, MAIN);
    WORLD_ADD(&world, 1, 100, MAIN, FILL);
    WORLD_ADD(&world, 10, 10, FILL);
    world_group(&world, (struct query){.keys = {KEY_LINENO}});
    assert_int_equal(world.statistics.count, 2);
    /* equal sizes: more blocks first */
    expect_line(&world, 0, "/src/a.c", 9, 200, 11);
    expect_line(&world, 1, "/src/a.c", 10, 200, 2);
    assert_int_equal(world.statistics.size_total, 400);
    world_end(&world);
}

/* As Python orders tuples: by name, then by the number of the line and not its digits; descending. */
static void ties_are_ordered_by_place(void **state) {
    (void)state;
    struct world world = world_begin();
    WORLD_ADD(&world, 1, 8, FILL);   /* a.c:9 */
    WORLD_ADD(&world, 1, 8, MAIN);   /* a.c:10 */
    WORLD_ADD(&world, 1, 8, VECTOR); /* table.cc:21 */
    world_group(&world, (struct query){.keys = {KEY_LINENO}});
    expect_line(&world, 0, "/src/table.cc", 21, 8, 1);
    expect_line(&world, 1, "/src/a.c", 10, 8, 1);
    expect_line(&world, 2, "/src/a.c", 9, 8, 1);
    world_end(&world);
}

static void blame_passes_over_allocators_and_containers(void **state) {
    (void)state;
    struct world world = world_begin();
    WORLD_ADD(&world, 1, 8, MAIN, VECTOR, NEW);
    world_group(&world, (struct query){.keys = {KEY_LINENO}});
    expect_line(&world, 0, "/src/table.cc", 21, 8, 1);
    world_group(&world, (struct query){.keys = {KEY_LINENO}, .blame = {.raw = true}});
    expect_line(&world, 0, "/x/new_op.cc", 50, 8, 1);
    const char *extra[] = {"Table::*"};
    world_group(&world, (struct query){.keys = {KEY_LINENO}, .blame = {.extra = extra, .extra_count = 1}});
    expect_line(&world, 0, "/src/a.c", 10, 8, 1);
    world_end(&world);
}

static void a_stack_of_wrappers_alone_names_the_newest(void **state) {
    (void)state;
    struct world world = world_begin();
    WORLD_ADD(&world, 1, 8, NEW);
    world_group(&world, (struct query){.keys = {KEY_LINENO}});
    expect_line(&world, 0, "/x/new_op.cc", 50, 8, 1);
    world_end(&world);
}

static void cumulative_counts_a_stack_once_per_row(void **state) {
    (void)state;
    struct world world = world_begin();
    WORLD_ADD(&world, 3, 10, MAIN, FILL, FILL, FILL);
    world_group(&world, (struct query){.keys = {KEY_LINENO}, .cumulative = true});
    assert_int_equal(world.statistics.count, 2);
    expect_line(&world, 0, "/src/a.c", 10, 30, 3);
    expect_line(&world, 1, "/src/a.c", 9, 30, 3);
    assert_int_equal(world.statistics.size_total, 30);
    world_group(&world, (struct query){.keys = {KEY_FILENAME}, .cumulative = true});
    assert_int_equal(world.statistics.count, 1);
    expect_line(&world, 0, "/src/a.c", 0, 30, 3);
    struct query wrong = {.keys = {KEY_TRACEBACK}, .cumulative = true};
    struct statistics none;
    assert_false(statistics_of(world.traces, &wrong, &none, NULL));
    world_end(&world);
}

static void what_has_no_line_keeps_its_offset(void **state) {
    (void)state;
    struct world world = world_begin();
    WORLD_ADD(&world, 1, 20, HIDDEN);
    WORLD_ADD(&world, 1, 10, NAMELESS);
    world_group(&world, (struct query){.keys = {KEY_LINENO}});
    assert_null(row_frame(&world, 0)->file);
    assert_true(row_frame(&world, 0)->has_offset);
    assert_int_equal(row_frame(&world, 0)->offset, HIDDEN);
    assert_string_equal(row_frame(&world, 0)->function, "hidden");
    assert_int_equal(row_frame(&world, 1)->offset, NAMELESS);
    assert_null(row_frame(&world, 1)->function);
    world_group(&world, (struct query){.keys = {KEY_FILENAME}});
    assert_int_equal(world.statistics.count, 1);
    assert_string_equal(row_frame(&world, 0)->module, "/lib/libx.so");
    world_group(&world, (struct query){.keys = {KEY_FUNCTION}});
    assert_int_equal(world.statistics.count, 2);
    assert_false(row_frame(&world, 0)->has_offset);
    world_end(&world);
}

static void modules_need_no_symbols(void **state) {
    (void)state;
    struct world world = world_begin();
    WORLD_ADD(&world, 1, 20, MAIN);
    make_cell(world.tables, HT_STACK_OVERFLOW, 1, 5, 0);
    make_cell(world.tables, HT_STACK_UNATTRIBUTED, 1, 4, 0);
    uint32_t pc = make_pc(world.tables, 0x77, 0);
    make_cell(world.tables, make_stack(world.tables, 0, 0, &pc, 1), 1, 3, 0);
    make_cell(world.tables, make_stack(world.tables, 0, 0, &pc, 0), 1, 2, 0);
    static const char *const names[] = {"/lib/libx.so", "[overflow]", "[unattributed]", "[unknown]",
                                        "[no stack]"};
    world_group(&world, (struct query){.keys = {KEY_MODULE}});
    assert_int_equal(fake_symbols_asked(), 0);
    assert_int_equal(world.statistics.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(row_frame(&world, i)->module, names[i]);
    world_group(&world, (struct query){.keys = {KEY_LINENO}});
    assert_int_equal(row_frame(&world, 3)->offset, 0x76);
    world_end(&world);
}

static void tracebacks_hold_inlined_frames(void **state) {
    (void)state;
    struct world world = world_begin();
    WORLD_ADD(&world, 1, 20, MAIN, VECTOR);
    WORLD_ADD(&world, 2, 20, MAIN, VECTOR);
    world_group(&world, (struct query){.keys = {KEY_TRACEBACK}});
    assert_int_equal(world.statistics.count, 1);
    assert_int_equal(world.statistics.rows[0].frame_count, 3);
    assert_int_equal(world.statistics.rows[0].size, 60);
    assert_int_equal(row_frame(&world, 0)->line, 7);
    world_end(&world);
}

static void metrics_choose_the_numbers(void **state) {
    (void)state;
    struct world world = world_begin();
    uint32_t pc = make_pc(world.tables, MAIN + 0x10001, world.module);
    make_cell(world.tables, make_stack(world.tables, 0, 0, &pc, 1), 10, 8, 10);
    made_cell(world.tables, 1)->peak_bytes = 40;
    made_cell(world.tables, 1)->peak_blocks = 5;
    made_cell(world.tables, 1)->peak_sequence = 3;
    world.tables->header.totals.peak_sequence = 3;
    world.tables->header.totals.peak_bytes = 40;
    world_group(&world, (struct query){.keys = {KEY_LINENO}, .metric = METRIC_LIVE});
    assert_int_equal(world.statistics.count, 0); /* nothing lives: no row */
    world_group(&world, (struct query){.keys = {KEY_LINENO}, .metric = METRIC_PEAK});
    expect_line(&world, 0, "/src/a.c", 10, 40, 5);
    world_group(&world, (struct query){.keys = {KEY_LINENO}, .metric = METRIC_TOTAL});
    expect_line(&world, 0, "/src/a.c", 10, 80, 10);
    world_end(&world);
}

static void the_tracers_frames_are_left_out(void **state) {
    (void)state;
    struct world world = world_begin();
    uint32_t tracer = make_module(world.tables, "/opt/lib/libheaptally.so", 0x90000);
    uint32_t pcs[] = {make_pc(world.tables, MAIN + 0x10001, world.module),
                      make_pc(world.tables, 0x90007, tracer),
                      make_pc(world.tables, NEW + 0x10001, world.module)};
    make_cell(world.tables, make_stack(world.tables, 0, 0, pcs, 3), 1, 9, 0);
    make_cell(world.tables, make_stack(world.tables, 0, 0, &pcs[1], 1), 1, 8, 0);
    world_group(&world, (struct query){.keys = {KEY_LINENO}});
    expect_line(&world, 0, "/src/a.c", 10, 9, 1);
    assert_string_equal(row_frame(&world, 1)->module, "[no stack]");
    world_group(&world, (struct query){.keys = {KEY_TRACEBACK}});
    assert_int_equal(world.statistics.rows[0].frame_count, 2);
    world_group(&world, (struct query){.keys = {KEY_MODULE}});
    assert_string_equal(row_frame(&world, 0)->module, "/lib/libx.so");
    world_end(&world);
}

/* ---- numbers as keys ---- */

static void expect_number(const struct world *world, size_t row, uint64_t number, int64_t size) {
    assert_int_equal(row_frame(world, row)->offset, number);
    assert_int_equal(world->statistics.rows[row].size, size);
}

static void domains_and_classes_of_sizes_are_keys(void **state) {
    (void)state;
    struct world world = world_filtered();
    WORLD_ADD(&world, 3, 100, FILL);
    world_group(&world, (struct query){.keys = {KEY_DOMAIN}});
    assert_int_equal(fake_symbols_asked(), 0);
    expect_number(&world, 0, 0, 1401);
    expect_number(&world, 1, 7, 10);
    world_group(&world, (struct query){.keys = {KEY_SIZE}});
    assert_int_equal(world.statistics.count, 4);
    expect_number(&world, 0, 512, 1000);
    expect_number(&world, 1, 64, 400);
    expect_number(&world, 2, 8, 10);
    expect_number(&world, 3, 1, 1);
    world_end(&world);
}

static void expect_name(const struct world *world, size_t row, size_t part, const char *name) {
    assert_true(row < world->statistics.count && part < world->statistics.rows[row].frame_count);
    assert_string_equal(frames_get(world->frames, world->statistics.rows[row].frames[part])->function, name);
}

static void scopes_and_tags_are_keys(void **state) {
    (void)state;
    struct world world = world_scoped();
    world_group(&world, (struct query){.keys = {KEY_SCOPE}});
    assert_int_equal(fake_symbols_asked(), 0);
    static const char *const scopes[] = {"unload/parse", "", "loader", "load/parse", "load"};
    assert_int_equal(world.statistics.count, 5);
    for (size_t i = 0; i < 5; i++)
        expect_name(&world, i, 0, scopes[i]);
    assert_int_equal(world.statistics.rows[1].size, 10001);
    assert_int_equal(world.statistics.rows[1].count, 2);
    world_group(&world, (struct query){.keys = {KEY_TAG}});
    static const char *const tags[] = {"red", "blue/red", ""};
    assert_int_equal(world.statistics.count, 3);
    for (size_t i = 0; i < 3; i++)
        expect_name(&world, i, 0, tags[i]);
    assert_int_equal(world.statistics.rows[0].size, 100100);
    world_end(&world);
}

static void scopes_and_tags_are_combined(void **state) {
    (void)state;
    struct world world = world_scoped();
    world_group(&world, (struct query){.keys = {KEY_TAG, KEY_LINENO, KEY_DOMAIN, KEY_SCOPE}});
    assert_int_equal(world.statistics.count, 6); /* of one line */
    expect_name(&world, 0, 0, "red");
    expect_name(&world, 0, 3, "unload/parse");
    assert_int_equal(frames_get(world.frames, world.statistics.rows[0].frames[1])->line, 9);
    assert_int_equal(frames_get(world.frames, world.statistics.rows[0].frames[2])->offset, 7);
    expect_name(&world, 1, 0, "blue/red");
    expect_name(&world, 1, 3, "");
    world_group(&world, (struct query){.keys = {KEY_TRACEBACK, KEY_SCOPE}});
    assert_int_equal(world.statistics.count, 5); /* a tag is none of these keys */
    assert_int_equal(world.statistics.rows[0].frame_count, 1 + 2);
    world_group(&world, (struct query){.keys = {KEY_SCOPE, KEY_LINENO}, .cumulative = true});
    assert_int_equal(world.statistics.count, 10); /* each scope with both lines */
    assert_int_equal(world.statistics.size_total, 111111);
    world_end(&world);
}

/* Descending, as all that ties. */
static void equal_scopes_are_ordered_by_name(void **state) {
    (void)state;
    struct world world = world_begin();
    static const char *const names[] = {"b", "a/c", "a", ""};
    for (uint32_t i = 0; i < 4; i++) {
        WORLD_ADD(&world, 1, 8, MAIN);
        made_stack(world.tables, HT_STACK_FIRST + i)->context =
            (uint16_t)make_scope(world.tables, names[3 - i], "");
    }
    world_group(&world, (struct query){.keys = {KEY_SCOPE}});
    for (size_t i = 0; i < 4; i++)
        expect_name(&world, i, 0, names[i]);
    world_end(&world);
}

/* The kind of one stack whose newest call, at MAIN or else at FILL, is known to call `callee`. */
static uint64_t kind_of(const char *callee, bool with_operator) {
    struct world world = world_begin();
    if (callee != NULL)
        fake_symbols_add_call(MAIN, callee);
    if (with_operator)
        WORLD_ADD(&world, 1, 8, FILL, MAIN, NEW);
    else
        WORLD_ADD(&world, 1, 8, FILL, MAIN);
    world_group(&world, (struct query){.keys = {KEY_KIND}});
    assert_int_equal(world.statistics.count, 1);
    uint64_t kind = row_frame(&world, 0)->offset;
    world_end(&world);
    return kind;
}

static void kinds_are_what_was_called(void **state) {
    (void)state;
    assert_int_equal(kind_of("malloc", false), KIND_MALLOC);
    assert_int_equal(kind_of("posix_memalign", false), KIND_MALLOC);
    assert_int_equal(kind_of("operator new(unsigned long)", false), KIND_NEW); /* an allocator's own */
    assert_int_equal(kind_of("operator new[](unsigned long, std::nothrow_t const&)", false), KIND_NEW_ARRAY);
    assert_int_equal(kind_of("__rust_alloc", false), KIND_RUST);
    assert_int_equal(kind_of("__rustc::__rust_alloc_zeroed", false), KIND_RUST);
    assert_int_equal(kind_of("__rdl_realloc", false), KIND_RUST);
    assert_int_equal(kind_of("make", false), KIND_MALLOC); /* which jumps to malloc */
    assert_int_equal(kind_of(NULL, false), KIND_MALLOC);
    /* libstdc++'s operator new[] jumps to operator new: only the call tells */
    assert_int_equal(kind_of("operator new[](unsigned long)", true), KIND_NEW_ARRAY);
    assert_int_equal(kind_of("operator new(unsigned long)", true), KIND_NEW);
    assert_int_equal(kind_of("make", true), KIND_NEW);
    assert_int_equal(kind_of(NULL, true), KIND_NEW);
    assert_int_equal(kind_of("malloc", true), KIND_NEW);
    assert_int_equal(kind_of_function("Pool::operator new(unsigned long)"), KIND_UNKNOWN);
    assert_int_equal(kind_of_function("operator new"), KIND_UNKNOWN);
    assert_int_equal(kind_of_function("my_malloc"), KIND_UNKNOWN);
}

static void kinds_are_a_key_and_a_filter(void **state) {
    (void)state;
    struct world world =
        world_filtered(); /* 10 bytes of it are of domain 7, 1000 of a function without a line */
    WORLD_ADD(&world, 1, 10000, MAIN, NEW);
    WORLD_ADD(&world, 1, 100000, NAMELESS);
    fake_symbols_add_call(VECTOR, "operator new[](unsigned long)");
    world_group(&world, (struct query){.keys = {KEY_KIND, KEY_MODULE}});
    static const struct {
        uint64_t kind;
        int64_t size;
    } expected[] = {{KIND_UNKNOWN, 100000},
                    {KIND_NEW, 10000},
                    {KIND_MALLOC, 1001},
                    {KIND_NEW_ARRAY, 100},
                    {KIND_OTHER, 10}};
    assert_int_equal(world.statistics.count, 5);
    for (size_t i = 0; i < 5; i++)
        expect_number(&world, i, expected[i].kind, expected[i].size);
    for (size_t i = 0; i < 5; i++) {
        struct filter filter = {.kind = FILTER_KIND, .number = expected[i].kind};
        assert_int_equal(world_left(&world, &filter, 1), expected[i].size);
    }
    struct filter both[] = {{.kind = FILTER_KIND, .number = KIND_NEW},
                            {.kind = FILTER_KIND, .number = KIND_OTHER}};
    assert_int_equal(world_left(&world, both, 2), 10010);
    world_end(&world);
}

static void threads_are_a_key_of_a_model_by_thread(void **state) {
    (void)state;
    struct world world = world_begin();
    WORLD_ADD(&world, 5, 10, MAIN);
    make_cell(world.tables, HT_STACK_FIRST, 0, 10, 2); /* freed by another thread */
    made_cell(world.tables, 2)->freed_bytes = 20;
    made_cell(world.tables, 1)->slot = make_slot(world.tables, 4001);
    made_cell(world.tables, 2)->slot = make_slot(world.tables, 4002);
    world.model = model_new_rows(world.tables, MODEL_BY_THREAD, NULL);
    world.traces = traces_new(world.model, world.symbols, world.frames, NULL);
    world_group(&world, (struct query){.keys = {KEY_THREAD, KEY_FILENAME}});
    assert_int_equal(world.statistics.count, 2);
    expect_number(&world, 0, 4001, 50);
    expect_number(&world, 1, 4002, -20);
    assert_int_equal(world.statistics.size_total, 30);
    struct filter second = {.kind = FILTER_THREAD, .number = 4002};
    assert_int_equal(world_left(&world, &second, 1), -20);
    world_end(&world);
}

static void keys_are_combined(void **state) {
    (void)state;
    struct world world = world_begin();
    WORLD_ADD(&world, 1, 10, MAIN, FILL);
    WORLD_ADD(&world, 1, 10, FILL);
    world_group(&world, (struct query){.keys = {KEY_MODULE, KEY_FUNCTION}});
    assert_int_equal(world.statistics.count, 1);
    assert_int_equal(world.statistics.rows[0].frame_count, 2);
    assert_string_equal(row_frame(&world, 0)->module, "/lib/libx.so");
    assert_string_equal(frames_get(world.frames, world.statistics.rows[0].frames[1])->function, "fill");
    world_group(&world, (struct query){.keys = {KEY_TRACEBACK, KEY_DOMAIN}});
    assert_int_equal(world.statistics.count, 2);
    assert_int_equal(world.statistics.rows[0].frame_count,
                     1 + 2); /* main is the oldest, and a.c:10 > a.c:9 */
    assert_int_equal(world.statistics.rows[1].frame_count, 1 + 1);
    world_end(&world);
}

static void recursion_counts_each_frame_where_asked(void **state) {
    (void)state;
    struct world world = world_begin();
    WORLD_ADD(&world, 3, 10, MAIN, FILL, FILL, FILL);
    world_group(&world, (struct query){.keys = {KEY_LINENO}, .cumulative = true, .every_frame = true});
    expect_line(&world, 0, "/src/a.c", 9, 90, 9);
    expect_line(&world, 1, "/src/a.c", 10, 30, 3);
    world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_grouped_and_ordered),
        cmocka_unit_test(ties_are_ordered_by_place),
        cmocka_unit_test(blame_passes_over_allocators_and_containers),
        cmocka_unit_test(a_stack_of_wrappers_alone_names_the_newest),
        cmocka_unit_test(cumulative_counts_a_stack_once_per_row),
        cmocka_unit_test(what_has_no_line_keeps_its_offset),
        cmocka_unit_test(modules_need_no_symbols),
        cmocka_unit_test(tracebacks_hold_inlined_frames),
        cmocka_unit_test(metrics_choose_the_numbers),
        cmocka_unit_test(the_tracers_frames_are_left_out),
        cmocka_unit_test(domains_and_classes_of_sizes_are_keys),
        cmocka_unit_test(scopes_and_tags_are_keys),
        cmocka_unit_test(scopes_and_tags_are_combined),
        cmocka_unit_test(equal_scopes_are_ordered_by_name),
        cmocka_unit_test(kinds_are_what_was_called),
        cmocka_unit_test(kinds_are_a_key_and_a_filter),
        cmocka_unit_test(threads_are_a_key_of_a_model_by_thread),
        cmocka_unit_test(keys_are_combined),
        cmocka_unit_test(recursion_counts_each_frame_where_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
