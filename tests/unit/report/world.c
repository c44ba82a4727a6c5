/* world.c - see world.h.
 * Owns:    nothing beyond a world.
 * Threads: one.  Signals: no.  Heap: yes. */
#include "world.h"

#include <string.h>

static const struct symbols_frame in_main[] = {{"main", "/src/a.c", 10, false, 0}};
static const struct symbols_frame in_fill[] = {{"fill", "/src/a.c", 9, false, 0}};
static const struct symbols_frame in_new[] = {{"operator new(unsigned long)", "/x/new_op.cc", 50, false, 0}};
static const struct symbols_frame in_vector[] = {
    {"std::vector<int>::push_back(int const&)", "/usr/include/c++/12/v.h", 7, true, 0},
    {"Table::add(int)", "/src/table.cc", 21, false, 0}};
static const struct symbols_frame no_line[] = {{"hidden", NULL, 0, false, 0}};

struct world world_begin(void) {
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

void world_add(struct world *world, uint64_t count, uint64_t size, size_t depth, const uint64_t *addresses) {
    uint32_t pcs[8];
    for (size_t i = 0; i < depth; i++)
        pcs[i] = make_pc(world->tables, addresses[i] + 1 + 0x10000, world->module);
    make_cell(world->tables, make_stack(world->tables, 0, 0, pcs, (uint16_t)depth), count, size, 0);
}

void world_load(struct world *world) {
    world->model = model_new(world->tables, NULL);
    world->traces = traces_new(world->model, world->symbols, world->frames, NULL);
    assert_non_null(world->traces);
}

void world_group(struct world *world, struct query query) {
    struct error error = {""};
    if (world->traces == NULL)
        world_load(world);
    statistics_free(&world->statistics);
    assert_true(statistics_of(world->traces, &query, &world->statistics, &error));
}

void world_end(struct world *world) {
    statistics_free(&world->statistics);
    traces_free(world->traces);
    model_free(world->model);
    tables_free(world->tables);
    frames_free(world->frames);
    symbols_free(world->symbols);
}

const struct frame *row_frame(const struct world *world, size_t row) {
    assert_true(row < world->statistics.count);
    return frames_get(world->frames, world->statistics.rows[row].frames[0]);
}

void expect_line(const struct world *world, size_t row, const char *file, uint32_t line, int64_t size,
                 int64_t count) {
    const struct frame *frame = row_frame(world, row);
    assert_non_null(frame->file);
    assert_string_equal(frame->file, file);
    assert_int_equal(frame->line, line);
    assert_int_equal(world->statistics.rows[row].size, size);
    assert_int_equal(world->statistics.rows[row].count, count);
}

struct world world_filtered(void) {
    struct world world = world_begin();
    WORLD_ADD(&world, 1, 1, MAIN);
    WORLD_ADD(&world, 1, 10, MAIN, FILL);
    WORLD_ADD(&world, 1, 100, MAIN, VECTOR);
    WORLD_ADD(&world, 1, 1000, HIDDEN);
    made_stack(world.tables, HT_STACK_FIRST + 1)->context = (uint16_t)make_context(world.tables, 7);
    return world;
}

struct world world_scoped(void) {
    static const struct {
        const char *scope, *tag;
    } parts[] = {{"", ""},       {"load", ""},     {"load/parse", "red"},
                 {"loader", ""}, {"", "blue/red"}, {"unload/parse", "red"}};
    struct world world = world_begin();
    uint64_t size = 1;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++, size *= 10) {
        WORLD_ADD(&world, 1, size, MAIN, FILL);
        made_stack(world.tables, HT_STACK_FIRST + (uint32_t)i)->context =
            (uint16_t)make_scope(world.tables, parts[i].scope, parts[i].tag);
    }
    struct ht_context *last = world.tables->region[HT_REGION_CONTEXTS].at;
    last[world.tables->region[HT_REGION_CONTEXTS].count - 1].domain = 7;
    return world;
}

int64_t world_left(struct world *world, const struct filter *filters, size_t count) {
    struct filter copy[4];
    if (count != 0)
        memcpy(copy, filters, count * sizeof *copy);
    world_group(world, (struct query){.keys = {KEY_LINENO}, .filters = {copy, count}});
    return world->statistics.size_total;
}
