/* test_filters.c - what filters and suppressions leave of a heap. */
#include "world.h"

#include <string.h>

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

static void forget(struct filter *filters, size_t count) {
    for (size_t i = 0; i < count; i++)
        wildcard_free(filters[i].pattern);
}

static void filters_are_of_the_named_frame(void **state) {
    (void)state;
    struct world world = world_filtered();
    struct filter filters[] = {place("*/a.c"), place("*.cc"), place("/lib/*")};
    assert_int_equal(world_left(&world, NULL, 0), 1111);
    assert_int_equal(world_left(&world, filters, 1), 11);
    assert_int_equal(world_left(&world, filters, 2), 111);
    assert_int_equal(world_left(&world, &filters[2], 1), 1000); /* what has no file goes by its module */
    filters[0].has_line = true;
    filters[0].line = 10;
    assert_int_equal(world_left(&world, filters, 1), 1);
    filters[0].all_frames = true;
    assert_int_equal(world_left(&world, filters, 1), 111);
    filters[0].exclusive = true;
    assert_int_equal(world_left(&world, filters, 1), 1000);
    filters[0].all_frames = false;
    assert_int_equal(world_left(&world, filters, 1), 1110);
    assert_int_equal(world_left(&world, filters, 2), 100);
    forget(filters, 3);
    world_end(&world);
}

static void domains_and_places_are_one_list(void **state) {
    (void)state;
    struct world world = world_filtered();
    struct filter filters[] = {place("*.cc"), {.kind = FILTER_DOMAIN, .number = 7}, place("*/a.c")};
    assert_int_equal(world_left(&world, &filters[1], 1), 10);
    assert_int_equal(world_left(&world, filters, 2), 110);
    filters[1].exclusive = true;
    assert_int_equal(world_left(&world, &filters[1], 1), 1101);
    filters[2].has_domain = true; /* of a place and a domain both must be right */
    filters[2].number = 7;
    assert_int_equal(world_left(&world, &filters[2], 1), 10);
    filters[2].exclusive = true;
    assert_int_equal(world_left(&world, &filters[2], 1), 1101);
    forget(filters, 3);
    world_end(&world);
}

static void functions_modules_and_sizes_narrow(void **state) {
    (void)state;
    struct world world = world_filtered();
    struct filter filters[] = {of_kind(FILTER_FUNCTION, "Table::add"),
                               of_kind(FILTER_MODULE, "libx.*"),
                               {.kind = FILTER_SIZE, .number = 100},
                               of_kind(FILTER_FUNCTION, "Table::add(int)")};
    assert_int_equal(world_left(&world, filters, 1), 100);
    assert_int_equal(world_left(&world, &filters[3], 1), 100);
    assert_int_equal(world_left(&world, &filters[1], 1), 1111);
    assert_int_equal(world_left(&world, &filters[2], 1), 1100);
    assert_int_equal(world_left(&world, &filters[1], 2), 1100);
    assert_int_equal(world_left(&world, filters, 3), 100);
    forget(filters, 4);
    world_end(&world);
}

static struct filter named(enum filter_kind kind, const char *pattern) {
    struct filter filter = {.kind = kind};
    if (pattern != NULL)
        filter.pattern = wildcard_new(pattern, strlen(pattern));
    return filter;
}

/* What one filter takes, and what the same exclusive one leaves, is everything. */
static void expect_parted(struct world *world, enum filter_kind kind, const char *pattern, int64_t taken) {
    struct filter filter = named(kind, pattern);
    assert_int_equal(world_left(world, &filter, 1), taken);
    filter.exclusive = true;
    assert_int_equal(world_left(world, &filter, 1), 111111 - taken);
    wildcard_free(filter.pattern);
}

static void scopes_take_what_is_nested(void **state) {
    (void)state;
    struct world world = world_scoped();
    expect_parted(&world, FILTER_SCOPE, "load", 110);
    expect_parted(&world, FILTER_SCOPE, "load/parse", 100);
    expect_parted(&world, FILTER_SCOPE, "parse", 0); /* the whole name, not its end */
    expect_parted(&world, FILTER_SCOPE, "*/parse", 100100);
    expect_parted(&world, FILTER_SCOPE, "load*", 1110);
    expect_parted(&world, FILTER_SCOPE, "loa", 0);
    expect_parted(&world, FILTER_SCOPE, "?*load", 100000);
    expect_parted(&world, FILTER_SCOPE, "*", 101110);
    expect_parted(&world, FILTER_SCOPE, NULL, 10001);
    world_end(&world);
}

static void tags_are_matched_whole(void **state) {
    (void)state;
    struct world world = world_scoped();
    expect_parted(&world, FILTER_TAG, "red", 100100);
    expect_parted(&world, FILTER_TAG, "blue", 0); /* a slash in a tag is no nesting */
    expect_parted(&world, FILTER_TAG, "blue/red", 10000);
    expect_parted(&world, FILTER_TAG, "*", 110100);
    expect_parted(&world, FILTER_TAG, NULL, 1011);
    world_end(&world);
}

static void scopes_tags_and_domains_narrow(void **state) {
    (void)state;
    struct world world = world_scoped();
    struct filter filters[] = {named(FILTER_SCOPE, "load"),
                               named(FILTER_SCOPE, "unload"),
                               named(FILTER_TAG, "red"),
                               {.kind = FILTER_DOMAIN, .number = 7}};
    assert_int_equal(world_left(&world, filters, 2), 100110); /* any of a list */
    assert_int_equal(world_left(&world, filters, 3), 100100); /* each of the lists */
    assert_int_equal(world_left(&world, filters, 4), 100000);
    filters[0].exclusive = true;
    assert_int_equal(world_left(&world, filters, 1), 111001);
    assert_int_equal(world_left(&world, &filters[2], 2), 100000);
    forget(filters, 3);
    world_end(&world);
}

/* ---- suppressions ---- */

/* The sum that one line of a suppressions file leaves out. */
static int64_t suppressed(struct world *world, const char *line) {
    struct query query = {.keys = {KEY_LINENO}, .suppressions = suppressions_new()};
    struct error error = {""};
    if (!suppressions_add_line(query.suppressions, line, "here", &error))
        fail_msg("%s: %s", line, error.text);
    world_group(world, query);
    suppressions_free(query.suppressions);
    assert_int_equal(world->statistics.suppressed.size + world->statistics.size_total, 1111);
    return world->statistics.suppressed.size;
}

static void suppressions_are_leak_sanitizers(void **state) {
    (void)state;
    struct world world = world_filtered();
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
    assert_false(suppressions_add_line(none, "race:fill", "", NULL));
    assert_false(suppressions_add_line(none, "leak:", "", NULL));
    assert_false(suppressions_read(none, "/nonexistent", NULL));
    assert_int_equal(suppressions_count(none), 0);
    suppressions_free(none);
    world_end(&world);
}

/* A stack counts for the suppression of its newest frame that has one, and of that for the first. */
static void each_suppression_has_its_sum(void **state) {
    (void)state;
    struct world world = world_filtered();
    struct query query = {.keys = {KEY_LINENO}, .suppressions = suppressions_new()};
    static const char *const lines[] = {"leak:^main$", "leak:fill", "leak:fi*", "leak:fill", "leak:nothing"};
    for (size_t i = 0; i < 5; i++)
        assert_true(suppressions_add_line(query.suppressions, lines[i], i == 3 ? "/another" : "/one", NULL));
    assert_true(suppressions_add_line(query.suppressions, " leak:fill ", "/one", NULL)); /* is there */
    assert_int_equal(suppressions_count(query.suppressions), 5);
    assert_string_equal(suppressions_at(query.suppressions, 3).line, "leak:fill");
    assert_string_equal(suppressions_at(query.suppressions, 3).origin, "/another");
    world_group(&world, query);
    assert_int_equal(world.statistics.suppression_count, 5);
    static const int64_t expected[] = {101, 10, 0, 0, 0};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(world.statistics.suppressed_by[i].size, expected[i]);
    assert_int_equal(world.statistics.suppressed.size, 111);
    /* what is added later judges anew */
    assert_true(suppressions_add_line(query.suppressions, "leak:hidden", "/one", NULL));
    world_group(&world, query);
    assert_int_equal(world.statistics.suppressed_by[5].size, 1000);
    suppressions_free(query.suppressions);
    world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_of_the_named_frame),
        cmocka_unit_test(domains_and_places_are_one_list),
        cmocka_unit_test(functions_modules_and_sizes_narrow),
        cmocka_unit_test(scopes_take_what_is_nested),
        cmocka_unit_test(tags_are_matched_whole),
        cmocka_unit_test(scopes_tags_and_domains_narrow),
        cmocka_unit_test(suppressions_are_leak_sanitizers),
        cmocka_unit_test(each_suppression_has_its_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
