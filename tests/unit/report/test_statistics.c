/* test_statistics.c - grouping, blame and order, on a heap whose frames the test makes up. */
#include "check.h"
#include "fake_symbols.h"
#include "make_snapshot.h"
#include "stats/compare.h"

#include <stdio.h>
#include <string.h>

struct world {
    struct tables *tables;
    struct model *model;
    struct symbols *symbols;
    struct frames *frames;
    struct traces *traces;
    struct statistics statistics;
    uint32_t module;
};

static const struct symbols_frame in_main[] = {{"main", "/src/a.c", 10, false}};
static const struct symbols_frame in_fill[] = {{"fill", "/src/a.c", 9, false}};
static const struct symbols_frame in_new[] = {{"operator new(unsigned long)", "/x/new_op.cc", 50, false}};
static const struct symbols_frame in_vector[] = {
    {"std::vector<int>::push_back(int const&)", "/usr/include/c++/12/v.h", 7, true},
    {"Table::add(int)", "/src/table.cc", 21, false}};
static const struct symbols_frame no_line[] = {{"hidden", NULL, 0, false}};

enum { MAIN = 0x100, FILL = 0x200, NEW = 0x300, VECTOR = 0x400, HIDDEN = 0x500, NAMELESS = 0x600 };

static struct world begin(void) {
    struct world world = {.tables = make_tables(), .symbols = symbols_new(NULL), .frames = frames_new()};
    fake_symbols_forget();
    fake_symbols_add(MAIN, in_main, 1);
    fake_symbols_add(FILL, in_fill, 1);
    fake_symbols_add(NEW, in_new, 1);
    fake_symbols_add(VECTOR, in_vector, 2);
    fake_symbols_add(HIDDEN, no_line, 1);
    world.module = make_module(world.tables, "/lib/libx.so", 0x10000);
    return world;
}

/* A stack of addresses, outermost first; a return address is one more than the call. */
static void add(struct world *world, uint64_t count, uint64_t size, size_t depth, const uint64_t *addresses) {
    uint32_t pcs[8];
    for (size_t i = 0; i < depth; i++)
        pcs[i] = make_pc(world->tables, addresses[i] + 1 + 0x10000, world->module);
    make_cell(world->tables, make_stack(world->tables, 0, 0, pcs, (uint16_t)depth), count, size, 0);
}

#define ADD(world, count, size, ...)                                                                         \
    add(world, count, size, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), (uint64_t[]){__VA_ARGS__})

static void load(struct world *world) {
    world->model = model_new(world->tables, NULL);
    world->traces = traces_new(world->model, world->symbols, world->frames, NULL);
    assert_non_null(world->traces);
}

static void group(struct world *world, struct query query) {
    struct error error = {""};
    if (world->traces == NULL)
        load(world);
    statistics_free(&world->statistics);
    assert_true(statistics_of(world->traces, &query, &world->statistics, &error));
}

static void end(struct world *world) {
    statistics_free(&world->statistics);
    traces_free(world->traces);
    model_free(world->model);
    tables_free(world->tables);
    frames_free(world->frames);
    symbols_free(world->symbols);
}

static const struct frame *row_frame(const struct world *world, size_t row) {
    assert_true(row < world->statistics.count);
    return frames_get(world->frames, world->statistics.rows[row].frames[0]);
}

static void expect_line(const struct world *world, size_t row, const char *file, uint32_t line, int64_t size,
                        int64_t count) {
    const struct frame *frame = row_frame(world, row);
    assert_non_null(frame->file);
    assert_string_equal(frame->file, file);
    assert_int_equal(frame->line, line);
    assert_int_equal(world->statistics.rows[row].size, size);
    assert_int_equal(world->statistics.rows[row].count, count);
}

static void lines_are_grouped_and_ordered(void **state) {
    (void)state;
    struct world world = begin();
    ADD(&world, 2, 100, MAIN);
    ADD(&world, 1, 100, MAIN, FILL);
    ADD(&world, 10, 10, FILL);
    group(&world, (struct query){.keys = {KEY_LINENO}});
    assert_int_equal(world.statistics.count, 2);
    /* equal sizes: more blocks first */
    expect_line(&world, 0, "/src/a.c", 9, 200, 11);
    expect_line(&world, 1, "/src/a.c", 10, 200, 2);
    assert_int_equal(world.statistics.size_total, 400);
    end(&world);
}

/* As Python orders tuples: by name, then by the number of the line and not its digits; descending. */
static void ties_are_ordered_by_place(void **state) {
    (void)state;
    struct world world = begin();
    ADD(&world, 1, 8, FILL);   /* a.c:9 */
    ADD(&world, 1, 8, MAIN);   /* a.c:10 */
    ADD(&world, 1, 8, VECTOR); /* table.cc:21 */
    group(&world, (struct query){.keys = {KEY_LINENO}});
    expect_line(&world, 0, "/src/table.cc", 21, 8, 1);
    expect_line(&world, 1, "/src/a.c", 10, 8, 1);
    expect_line(&world, 2, "/src/a.c", 9, 8, 1);
    end(&world);
}

static void blame_passes_over_allocators_and_containers(void **state) {
    (void)state;
    struct world world = begin();
    ADD(&world, 1, 8, MAIN, VECTOR, NEW);
    group(&world, (struct query){.keys = {KEY_LINENO}});
    expect_line(&world, 0, "/src/table.cc", 21, 8, 1);
    group(&world, (struct query){.keys = {KEY_LINENO}, .blame = {.raw = true}});
    expect_line(&world, 0, "/x/new_op.cc", 50, 8, 1);
    const char *extra[] = {"Table::*"};
    group(&world, (struct query){.keys = {KEY_LINENO}, .blame = {.extra = extra, .extra_count = 1}});
    expect_line(&world, 0, "/src/a.c", 10, 8, 1);
    end(&world);
}

static void a_stack_of_wrappers_alone_names_the_newest(void **state) {
    (void)state;
    struct world world = begin();
    ADD(&world, 1, 8, NEW);
    group(&world, (struct query){.keys = {KEY_LINENO}});
    expect_line(&world, 0, "/x/new_op.cc", 50, 8, 1);
    end(&world);
}

static void cumulative_counts_a_stack_once_per_row(void **state) {
    (void)state;
    struct world world = begin();
    ADD(&world, 3, 10, MAIN, FILL, FILL, FILL);
    group(&world, (struct query){.keys = {KEY_LINENO}, .cumulative = true});
    assert_int_equal(world.statistics.count, 2);
    expect_line(&world, 0, "/src/a.c", 10, 30, 3);
    expect_line(&world, 1, "/src/a.c", 9, 30, 3);
    assert_int_equal(world.statistics.size_total, 30);
    group(&world, (struct query){.keys = {KEY_FILENAME}, .cumulative = true});
    assert_int_equal(world.statistics.count, 1);
    expect_line(&world, 0, "/src/a.c", 0, 30, 3);
    struct query wrong = {.keys = {KEY_TRACEBACK}, .cumulative = true};
    struct statistics none;
    assert_false(statistics_of(world.traces, &wrong, &none, NULL));
    end(&world);
}

static void what_has_no_line_keeps_its_offset(void **state) {
    (void)state;
    struct world world = begin();
    ADD(&world, 1, 20, HIDDEN);
    ADD(&world, 1, 10, NAMELESS);
    group(&world, (struct query){.keys = {KEY_LINENO}});
    assert_null(row_frame(&world, 0)->file);
    assert_true(row_frame(&world, 0)->has_offset);
    assert_int_equal(row_frame(&world, 0)->offset, HIDDEN);
    assert_string_equal(row_frame(&world, 0)->function, "hidden");
    assert_int_equal(row_frame(&world, 1)->offset, NAMELESS);
    assert_null(row_frame(&world, 1)->function);
    group(&world, (struct query){.keys = {KEY_FILENAME}});
    assert_int_equal(world.statistics.count, 1);
    assert_string_equal(row_frame(&world, 0)->module, "/lib/libx.so");
    group(&world, (struct query){.keys = {KEY_FUNCTION}});
    assert_int_equal(world.statistics.count, 2);
    assert_false(row_frame(&world, 0)->has_offset);
    end(&world);
}

static void modules_need_no_symbols(void **state) {
    (void)state;
    struct world world = begin();
    ADD(&world, 1, 20, MAIN);
    make_cell(world.tables, HT_STACK_OVERFLOW, 1, 5, 0);
    make_cell(world.tables, HT_STACK_UNATTRIBUTED, 1, 4, 0);
    uint32_t pc = make_pc(world.tables, 0x77, 0);
    make_cell(world.tables, make_stack(world.tables, 0, 0, &pc, 1), 1, 3, 0);
    make_cell(world.tables, make_stack(world.tables, 0, 0, &pc, 0), 1, 2, 0);
    static const char *const names[] = {"/lib/libx.so", "[overflow]", "[unattributed]", "[unknown]",
                                        "[no stack]"};
    group(&world, (struct query){.keys = {KEY_MODULE}});
    assert_int_equal(fake_symbols_asked(), 0);
    assert_int_equal(world.statistics.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(row_frame(&world, i)->module, names[i]);
    group(&world, (struct query){.keys = {KEY_LINENO}});
    assert_int_equal(row_frame(&world, 3)->offset, 0x76);
    end(&world);
}

static void tracebacks_hold_inlined_frames(void **state) {
    (void)state;
    struct world world = begin();
    ADD(&world, 1, 20, MAIN, VECTOR);
    ADD(&world, 2, 20, MAIN, VECTOR);
    group(&world, (struct query){.keys = {KEY_TRACEBACK}});
    assert_int_equal(world.statistics.count, 1);
    assert_int_equal(world.statistics.rows[0].frame_count, 3);
    assert_int_equal(world.statistics.rows[0].size, 60);
    assert_int_equal(row_frame(&world, 0)->line, 7);
    end(&world);
}

static void metrics_choose_the_numbers(void **state) {
    (void)state;
    struct world world = begin();
    uint32_t pc = make_pc(world.tables, MAIN + 0x10001, world.module);
    make_cell(world.tables, make_stack(world.tables, 0, 0, &pc, 1), 10, 8, 10);
    made_cell(world.tables, 1)->peak_bytes = 40;
    made_cell(world.tables, 1)->peak_blocks = 5;
    made_cell(world.tables, 1)->peak_sequence = 3;
    world.tables->header.totals.peak_sequence = 3;
    world.tables->header.totals.peak_bytes = 40;
    group(&world, (struct query){.keys = {KEY_LINENO}, .metric = METRIC_LIVE});
    assert_int_equal(world.statistics.count, 0); /* nothing lives: no row */
    group(&world, (struct query){.keys = {KEY_LINENO}, .metric = METRIC_PEAK});
    expect_line(&world, 0, "/src/a.c", 10, 40, 5);
    group(&world, (struct query){.keys = {KEY_LINENO}, .metric = METRIC_TOTAL});
    expect_line(&world, 0, "/src/a.c", 10, 80, 10);
    end(&world);
}

static void the_tracers_frames_are_left_out(void **state) {
    (void)state;
    struct world world = begin();
    uint32_t tracer = make_module(world.tables, "/opt/lib/libheaptally.so", 0x90000);
    uint32_t pcs[] = {make_pc(world.tables, MAIN + 0x10001, world.module),
                      make_pc(world.tables, 0x90007, tracer),
                      make_pc(world.tables, NEW + 0x10001, world.module)};
    make_cell(world.tables, make_stack(world.tables, 0, 0, pcs, 3), 1, 9, 0);
    make_cell(world.tables, make_stack(world.tables, 0, 0, &pcs[1], 1), 1, 8, 0);
    group(&world, (struct query){.keys = {KEY_LINENO}});
    expect_line(&world, 0, "/src/a.c", 10, 9, 1);
    assert_string_equal(row_frame(&world, 1)->module, "[no stack]");
    group(&world, (struct query){.keys = {KEY_TRACEBACK}});
    assert_int_equal(world.statistics.rows[0].frame_count, 2);
    group(&world, (struct query){.keys = {KEY_MODULE}});
    assert_string_equal(row_frame(&world, 0)->module, "/lib/libx.so");
    end(&world);
}

/* ---- filters ---- */

static struct filter place(const char *pattern) {
    struct filter filter = {.kind = FILTER_PLACE};
    assert_true(filter_set_pattern(&filter, pattern, strlen(pattern)));
    return filter;
}

static struct filter of_kind(enum filter_kind kind, const char *pattern) {
    struct filter filter = place(pattern);
    filter.kind = kind;
    return filter;
}

/* The sum of what `count` filters leave of the world. */
static int64_t left(struct world *world, const struct filter *filters, size_t count) {
    struct filter copy[4];
    if (count != 0)
        memcpy(copy, filters, count * sizeof *copy);
    group(world, (struct query){.keys = {KEY_LINENO}, .filters = {copy, count}});
    return world->statistics.size_total;
}

static void forget(struct filter *filters, size_t count) {
    for (size_t i = 0; i < count; i++)
        wildcard_free(filters[i].pattern);
}

/* 1 byte in a.c:10, 10 in a.c:9 called from a.c:10, 100 in table.cc called from a.c:10, 1000 without a line.
 */
static struct world filtered(void) {
    struct world world = begin();
    ADD(&world, 1, 1, MAIN);
    ADD(&world, 1, 10, MAIN, FILL);
    ADD(&world, 1, 100, MAIN, VECTOR);
    ADD(&world, 1, 1000, HIDDEN);
    made_stack(world.tables, HT_STACK_FIRST + 1)->context = (uint16_t)make_context(world.tables, 7);
    return world;
}

static void filters_are_of_the_named_frame(void **state) {
    (void)state;
    struct world world = filtered();
    struct filter filters[] = {place("*/a.c"), place("*.cc"), place("/lib/*")};
    assert_int_equal(left(&world, NULL, 0), 1111);
    assert_int_equal(left(&world, filters, 1), 11);
    assert_int_equal(left(&world, filters, 2), 111);
    assert_int_equal(left(&world, &filters[2], 1), 1000); /* what has no file goes by its module */
    filters[0].has_line = true;
    filters[0].line = 10;
    assert_int_equal(left(&world, filters, 1), 1);
    filters[0].all_frames = true;
    assert_int_equal(left(&world, filters, 1), 111);
    filters[0].exclusive = true;
    assert_int_equal(left(&world, filters, 1), 1000);
    filters[0].all_frames = false;
    assert_int_equal(left(&world, filters, 1), 1110);
    assert_int_equal(left(&world, filters, 2), 100);
    forget(filters, 3);
    end(&world);
}

static void domains_and_places_are_one_list(void **state) {
    (void)state;
    struct world world = filtered();
    struct filter filters[] = {place("*.cc"), {.kind = FILTER_DOMAIN, .number = 7}, place("*/a.c")};
    assert_int_equal(left(&world, &filters[1], 1), 10);
    assert_int_equal(left(&world, filters, 2), 110);
    filters[1].exclusive = true;
    assert_int_equal(left(&world, &filters[1], 1), 1101);
    filters[2].has_domain = true; /* of a place and a domain both must be right */
    filters[2].number = 7;
    assert_int_equal(left(&world, &filters[2], 1), 10);
    filters[2].exclusive = true;
    assert_int_equal(left(&world, &filters[2], 1), 1101);
    forget(filters, 3);
    end(&world);
}

static void functions_modules_and_sizes_narrow(void **state) {
    (void)state;
    struct world world = filtered();
    struct filter filters[] = {of_kind(FILTER_FUNCTION, "Table::add"),
                               of_kind(FILTER_MODULE, "libx.*"),
                               {.kind = FILTER_SIZE, .number = 100},
                               of_kind(FILTER_FUNCTION, "Table::add(int)")};
    assert_int_equal(left(&world, filters, 1), 100);
    assert_int_equal(left(&world, &filters[3], 1), 100);
    assert_int_equal(left(&world, &filters[1], 1), 1111);
    assert_int_equal(left(&world, &filters[2], 1), 1100);
    assert_int_equal(left(&world, &filters[1], 2), 1100);
    assert_int_equal(left(&world, filters, 3), 100);
    forget(filters, 4);
    end(&world);
}

/* ---- suppressions ---- */

/* The sum that one line of a suppressions file leaves out. */
static int64_t suppressed(struct world *world, const char *line) {
    struct query query = {.keys = {KEY_LINENO}, .suppressions = suppressions_new()};
    struct error error = {""};
    if (!suppressions_add_line(query.suppressions, line, &error))
        fail_msg("%s: %s", line, error.text);
    group(world, query);
    suppressions_free(query.suppressions);
    assert_int_equal(world->statistics.suppressed.size + world->statistics.size_total, 1111);
    return world->statistics.suppressed.size;
}

static void suppressions_are_leak_sanitizers(void **state) {
    (void)state;
    struct world world = filtered();
    assert_int_equal(suppressed(&world, "# leak:*"), 0);
    assert_int_equal(suppressed(&world, ""), 0);
    assert_int_equal(suppressed(&world, "leak:fill"), 10);
    assert_int_equal(suppressed(&world, " leak:il \r"), 10); /* a part of a name is enough */
    assert_int_equal(suppressed(&world, "leak:^il"), 0);
    assert_int_equal(suppressed(&world, "leak:^main$"), 111); /* any frame of a stack */
    assert_int_equal(suppressed(&world, "leak:^mai$"), 0);
    assert_int_equal(suppressed(&world, "leak:T*le::add"), 100);
    assert_int_equal(suppressed(&world, "leak:table.cc$"), 100);
    assert_int_equal(suppressed(&world, "leak:libx.so"), 1111);
    assert_int_equal(suppressed(&world, "leak:?"), 0); /* a question mark is one */
    assert_int_equal(suppressed(&world, "leak:[a-z]"), 0);
    struct suppressions *none = suppressions_new();
    assert_false(suppressions_add_line(none, "race:fill", NULL));
    assert_false(suppressions_add_line(none, "leak:", NULL));
    assert_false(suppressions_read(none, "/nonexistent", NULL));
    assert_int_equal(suppressions_count(none), 0);
    suppressions_free(none);
    end(&world);
}

/* ---- numbers as keys ---- */

static void expect_number(const struct world *world, size_t row, uint64_t number, int64_t size) {
    assert_int_equal(row_frame(world, row)->offset, number);
    assert_int_equal(world->statistics.rows[row].size, size);
}

static void domains_and_classes_of_sizes_are_keys(void **state) {
    (void)state;
    struct world world = filtered();
    ADD(&world, 3, 100, FILL);
    group(&world, (struct query){.keys = {KEY_DOMAIN}});
    assert_int_equal(fake_symbols_asked(), 0);
    expect_number(&world, 0, 0, 1401);
    expect_number(&world, 1, 7, 10);
    group(&world, (struct query){.keys = {KEY_SIZE}});
    assert_int_equal(world.statistics.count, 4);
    expect_number(&world, 0, 512, 1000);
    expect_number(&world, 1, 64, 400);
    expect_number(&world, 2, 8, 10);
    expect_number(&world, 3, 1, 1);
    end(&world);
}

static void threads_are_a_key_of_a_model_by_thread(void **state) {
    (void)state;
    struct world world = begin();
    ADD(&world, 5, 10, MAIN);
    make_cell(world.tables, HT_STACK_FIRST, 0, 10, 2); /* freed by another thread */
    made_cell(world.tables, 2)->freed_bytes = 20;
    made_cell(world.tables, 1)->slot = make_slot(world.tables, 4001);
    made_cell(world.tables, 2)->slot = make_slot(world.tables, 4002);
    world.model = model_new_rows(world.tables, MODEL_BY_THREAD, NULL);
    world.traces = traces_new(world.model, world.symbols, world.frames, NULL);
    group(&world, (struct query){.keys = {KEY_THREAD, KEY_FILENAME}});
    assert_int_equal(world.statistics.count, 2);
    expect_number(&world, 0, 4001, 50);
    expect_number(&world, 1, 4002, -20);
    assert_int_equal(world.statistics.size_total, 30);
    struct filter second = {.kind = FILTER_THREAD, .number = 4002};
    assert_int_equal(left(&world, &second, 1), -20);
    end(&world);
}

/* ---- estimates ---- */

static void rows_sum_their_variances(void **state) {
    (void)state;
    struct world world = begin();
    ADD(&world, 3, 10, MAIN);
    ADD(&world, 4, 10, FILL);
    ADD(&world, 5, 10, MAIN, FILL);
    make_samples(world.tables, 1024);
    group(&world, (struct query){.keys = {KEY_LINENO}});
    expect_line(&world, 0, "/src/a.c", 9, 90, 9);
    assert_near(world.statistics.rows[0].size_variance, 900);
    assert_near(world.statistics.rows[0].count_variance, 9);
    assert_near(world.statistics.size_total_variance, 1200);
    group(&world, (struct query){.keys = {KEY_LINENO}, .cumulative = true});
    expect_line(&world, 1, "/src/a.c", 10, 80, 8);
    assert_near(world.statistics.rows[1].size_variance, 800);
    assert_near(world.statistics.size_total_variance, 1200);
    end(&world);
}

/* What a thread frees of another is uncertain too, and in the sum takes away. */
static void threads_have_their_own_variances(void **state) {
    (void)state;
    struct world world = begin();
    ADD(&world, 5, 10, MAIN);
    make_cell(world.tables, HT_STACK_FIRST, 0, 10, 2);
    made_cell(world.tables, 1)->slot = make_slot(world.tables, 4001);
    made_cell(world.tables, 2)->slot = make_slot(world.tables, 4002);
    make_samples(world.tables, 1024);
    world.model = model_new_rows(world.tables, MODEL_BY_THREAD, NULL);
    world.traces = traces_new(world.model, world.symbols, world.frames, NULL);
    group(&world, (struct query){.keys = {KEY_THREAD}});
    assert_near(world.statistics.rows[0].size_variance, 500);
    assert_near(world.statistics.rows[1].size_variance, 200);
    assert_near(world.statistics.size_total_variance, 300);
    end(&world);
}

static void keys_are_combined(void **state) {
    (void)state;
    struct world world = begin();
    ADD(&world, 1, 10, MAIN, FILL);
    ADD(&world, 1, 10, FILL);
    group(&world, (struct query){.keys = {KEY_MODULE, KEY_FUNCTION}});
    assert_int_equal(world.statistics.count, 1);
    assert_int_equal(world.statistics.rows[0].frame_count, 2);
    assert_string_equal(row_frame(&world, 0)->module, "/lib/libx.so");
    assert_string_equal(frames_get(world.frames, world.statistics.rows[0].frames[1])->function, "fill");
    group(&world, (struct query){.keys = {KEY_TRACEBACK, KEY_DOMAIN}});
    assert_int_equal(world.statistics.count, 2);
    assert_int_equal(world.statistics.rows[0].frame_count,
                     1 + 2); /* main is the oldest, and a.c:10 > a.c:9 */
    assert_int_equal(world.statistics.rows[1].frame_count, 1 + 1);
    end(&world);
}

static void recursion_counts_each_frame_where_asked(void **state) {
    (void)state;
    struct world world = begin();
    ADD(&world, 3, 10, MAIN, FILL, FILL, FILL);
    group(&world, (struct query){.keys = {KEY_LINENO}, .cumulative = true, .every_frame = true});
    expect_line(&world, 0, "/src/a.c", 9, 90, 9);
    expect_line(&world, 1, "/src/a.c", 10, 30, 3);
    end(&world);
}

/* ---- differences ---- */

static void differences_are_ordered_as_compare_to(void **state) {
    (void)state;
    struct world old = begin(), new;
    struct statistics difference;
    ADD(&old, 1, 100, MAIN);  /* gone */
    ADD(&old, 4, 10, FILL);   /* unchanged */
    ADD(&old, 1, 50, VECTOR); /* grows by 100 */
    make_samples(old.tables, 1024);
    group(&old, (struct query){.keys = {KEY_LINENO}});
    new = (struct world){.tables = make_tables(), .symbols = symbols_new(NULL), .frames = old.frames};
    new.module = make_module(new.tables, "/lib/libx.so", 0x10000);
    ADD(&new, 4, 10, FILL);
    ADD(&new, 3, 50, VECTOR);
    make_samples(new.tables, 1024);
    group(&new, (struct query){.keys = {KEY_LINENO}});
    assert_true(statistics_compare(&old.statistics, &new.statistics, old.frames, &difference, NULL));
    statistics_free(&new.statistics);
    new.statistics = difference;
    assert_int_equal(difference.count, 3);
    expect_line(&new, 0, "/src/table.cc", 21, 150, 3); /* +100, 150 left */
    assert_int_equal(difference.rows[0].size_diff, 100);
    assert_int_equal(difference.rows[0].count_diff, 2);
    assert_near(difference.rows[0].size_variance, 300);
    assert_near(difference.rows[0].size_diff_variance, 100 + 300);
    assert_near(difference.rows[0].count_diff_variance, 1 + 3);
    expect_line(&new, 1, "/src/a.c", 10, 0, 0); /* -100, nothing left */
    assert_int_equal(difference.rows[1].size_diff, -100);
    assert_int_equal(difference.rows[1].count_diff, -1);
    assert_near(difference.rows[1].size_variance, 0);
    assert_near(difference.rows[1].size_diff_variance, 100);
    expect_line(&new, 2, "/src/a.c", 9, 40, 4);
    assert_int_equal(difference.rows[2].size_diff, 0);
    new.frames = frames_new(); /* the old world frees the shared ones */
    end(&new);
    end(&old);
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
        cmocka_unit_test(filters_are_of_the_named_frame),
        cmocka_unit_test(domains_and_places_are_one_list),
        cmocka_unit_test(functions_modules_and_sizes_narrow),
        cmocka_unit_test(suppressions_are_leak_sanitizers),
        cmocka_unit_test(domains_and_classes_of_sizes_are_keys),
        cmocka_unit_test(threads_are_a_key_of_a_model_by_thread),
        cmocka_unit_test(rows_sum_their_variances),
        cmocka_unit_test(threads_have_their_own_variances),
        cmocka_unit_test(keys_are_combined),
        cmocka_unit_test(recursion_counts_each_frame_where_asked),
        cmocka_unit_test(differences_are_ordered_as_compare_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
