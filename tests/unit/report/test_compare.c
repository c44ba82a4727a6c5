/* test_compare.c - differences of two heaps, and what makes their rows comparable. */
#include "world.h"
#include "stats/compare.h"

static void differences_are_ordered_as_compare_to(void **state) {
    (void)state;
    struct world old = world_begin(), new;
    struct statistics difference;
    WORLD_ADD(&old, 1, 100, MAIN);  /* gone */
    WORLD_ADD(&old, 4, 10, FILL);   /* unchanged */
    WORLD_ADD(&old, 1, 50, VECTOR); /* grows by 100 */
    make_samples(old.tables, 1024);
    world_group(&old, (struct query){.keys = {KEY_LINENO}});
    new = (struct world){.tables = make_tables(), .symbols = symbols_new(NULL), .frames = old.frames};
    new.module = make_module(new.tables, "/lib/libx.so", 0x10000);
    WORLD_ADD(&new, 4, 10, FILL);
    WORLD_ADD(&new, 3, 50, VECTOR);
    make_samples(new.tables, 1024);
    world_group(&new, (struct query){.keys = {KEY_LINENO}});
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
    world_end(&new);
    world_end(&old);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_ordered_as_compare_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
