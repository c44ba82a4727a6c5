/* test_contexts.c - domains and scopes, as `heaptally info` shows them. */
#include "check.h"
#include "make_snapshot.h"
#include "commands/info_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *shown(const struct tables *tables) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    info_put_contexts(out, tables);
    fclose(out);
    return text;
}

static uint32_t scope(struct tables *tables, const char *name, uint64_t begun) {
    uint32_t id = make_context(tables, HT_DOMAIN_HEAP);
    made_context(tables, id)->scope = tables_module(tables, make_module(tables, name, 0))->path;
    made_context(tables, id)->begun = begun;
    made_context(tables, id)->allocations = begun;
    made_context(tables, id)->allocated_bytes = 10 * begun;
    return id;
}

static void expect(const struct tables *tables, const char *expected) {
    char *text = shown(tables);
    assert_string_equal(text, expected);
    free(text);
}

static void equal_ones_are_one_in_the_order_of_first_sight(void **state) {
    (void)state;
    struct tables *tables = make_example();
    expect(tables, "");
    scope(tables, "late", 1);
    scope(tables, "early", 2);
    scope(tables, "late", 4);
    made_context(tables, scope(tables, "late", 99))->valid = 0;
    uint32_t tagged = scope(tables, "late", 99);
    made_context(tables, tagged)->tag = tables_module(tables, 1)->path;
    made_context(tables, make_context(tables, 7))->allocations = 1;
    made_context(tables, make_context(tables, 5))->allocations = 2;
    made_context(tables, make_context(tables, 7))->allocations = 4;
    expect(tables,
           "domains          7: live 0 B in 5 blocks, peak 0 B, allocated 0 B in 5\n"
           "                 5: live 0 B in 2 blocks, peak 0 B, allocated 0 B in 2\n"
           "scopes           late, begun 5 times: live 50 B in 5 blocks, peak 0 B, allocated 50 B in 5\n"
           "                 early, begun 2 times: live 20 B in 2 blocks, peak 0 B, allocated 20 B in 2\n");
    tables_free(tables);
}

/* As many as there can be, each another one, with names that begin alike; a file's further ones are left out.
 */
static void many_are_not_slow(void **state) {
    (void)state;
    struct tables *tables = make_example();
    char name[600];
    uint64_t path = 0;
    memset(name, 'x', sizeof name);
    make_contexts(tables, HT_CONTEXTS_MAX + 10);
    for (uint32_t id = 1; id < HT_CONTEXTS_MAX + 10; id++) {
        if (id % 64 == 1) {
            snprintf(name + 500, sizeof name - 500, "%u", id);
            path = tables_module(tables, make_module(tables, name, 0))->path;
        }
        made_context(tables, id)->valid = 1;
        made_context(tables, id)->scope = path + id % 64; /* an end of the name */
    }
    char *text = shown(tables);
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, HT_CONTEXTS_MAX - 1);
    free(text);
    tables_free(tables);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_ones_are_one_in_the_order_of_first_sight),
        cmocka_unit_test(many_are_not_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
