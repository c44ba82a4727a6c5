/* test_estimates.c - the variances of rows and of differences, of a sampled process. */
#include "world.h"

static void rows_sum_their_variances(void **state) {
    (void)state;
    struct world world = world_begin();
    WORLD_ADD(&world, 3, 10, MAIN);
    WORLD_ADD(&world, 4, 10, FILL);
    WORLD_ADD(&world, 5, 10, MAIN, FILL);
    make_samples(world.tables, 1024);
    world_group(&world, (struct query){.keys = {KEY_LINENO}});
    expect_line(&world, 0, "/src/a.c", 9, 90, 9);
    assert_near(world.statistics.rows[0].size_variance, 900);
    assert_near(world.statistics.rows[0].count_variance, 9);
    assert_near(world.statistics.size_total_variance, 1200);
    world_group(&world, (struct query){.keys = {KEY_LINENO}, .cumulative = true});
    expect_line(&world, 1, "/src/a.c", 10, 80, 8);
    assert_near(world.statistics.rows[1].size_variance, 800);
    assert_near(world.statistics.size_total_variance, 1200);
    world_end(&world);
}

/* What a thread frees of another is uncertain too, and in the sum takes away. */
static void threads_have_their_own_variances(void **state) {
    (void)state;
    struct world world = world_begin();
    WORLD_ADD(&world, 5, 10, MAIN);
    make_cell(world.tables, HT_STACK_FIRST, 0, 10, 2);
    made_cell(world.tables, 1)->slot = make_slot(world.tables, 4001);
    made_cell(world.tables, 2)->slot = make_slot(world.tables, 4002);
    make_samples(world.tables, 1024);
    world.model = model_new_rows(world.tables, MODEL_BY_THREAD, NULL);
    world.traces = traces_new(world.model, world.symbols, world.frames, NULL);
    world_group(&world, (struct query){.keys = {KEY_THREAD}});
    assert_near(world.statistics.rows[0].size_variance, 500);
    assert_near(world.statistics.rows[1].size_variance, 200);
    assert_near(world.statistics.size_total_variance, 300);
    world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_sum_their_variances),
        cmocka_unit_test(threads_have_their_own_variances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
