/* test_exchange.c - lines of traces: what they hold, what is refused and where, what becomes of them. */
#define _GNU_SOURCE
#include "check.h"
#include "exchange/traces_in.h"
#include "source/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct trace_line line;
static char text[256];

static bool parse(const char *from, struct error *error) {
    snprintf(text, sizeof text, "%s", from);
    return trace_line_parse(&line, text, error);
}

static void a_line_is_a_block(void **state) {
    struct error error = {""};
    (void)state;
    assert_true(parse("7 100 12 /src/a.c:3;b.c:4294967295;:0", &error));
    assert_int_equal(line.domain, 7);
    assert_int_equal(line.size, 100);
    assert_int_equal(line.total_nframe, 12);
    assert_int_equal(line.frame_count, 3);
    assert_string_equal(line.frames[0].file, "/src/a.c");
    assert_int_equal(line.frames[0].line, 3);
    assert_int_equal(line.frames[1].line, 4294967295);
    assert_string_equal(line.frames[2].file, "");
    assert_true(parse("4294967295 9223372036854775807 65535 a:1", &error));
}

static void names_are_escaped(void **state) {
    static const char name[] = " a;b:c\\d\n\x7f\xc3\xa9";
    char *written = NULL, *whole;
    size_t size;
    (void)state;
    FILE *out = open_memstream(&written, &size);
    trace_line_put_file(out, name);
    fclose(out);
    assert_string_equal(written, "\\x20a\\x3bb\\x3ac\\x5cd\\x0a\\x7f\xc3\xa9");
    assert_true(asprintf(&whole, "0 1 1 %s:5", written) > 0);
    assert_true(parse(whole, NULL));
    assert_string_equal(line.frames[0].file, name);
    assert_true(parse("0 1 1 \\x3B\\xFf:5", NULL));
    assert_string_equal(line.frames[0].file, ";\xff");
    free(whole);
    free(written);
}

static void what_is_wrong_is_said_with_its_column(void **state) {
    static const struct {
        const char *text;
        int column;
    } cases[] = {
        {"", 1},
        {"x 1 1 a:1", 1},
        {"-1 1 1 a:1", 1},
        {"4294967296 1 1 a:1", 1},
        {"0", 1},
        {"0  1 1 a:1", 3},
        {"0 9223372036854775808 1 a:1", 3},
        {"0 99999999999999999999 1 a:1", 3},
        {"0 1 65536 a:1", 5},
        {"0 1 1", 5},
        {"0 1 1 ", 7},
        {"0 1 1 a", 7},
        {"0 1 1 a:", 9},
        {"0 1 1 a:4294967296", 9},
        {"0 1 1 a:1x", 9},
        {"0 1 1 a:1;", 11},
        {"0 1 1 a:1 ", 9},
        {"0 1 1 a\\n:1", 8},
        {"0 1 1 a\\x0", 7},
        {"0 1 1 a\\x0:1", 8},
        {"0 1 1 a\\x00:1", 8},
        {"0 1 1 a:1;b:2", 5},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {""};
        char expected[32];
        snprintf(expected, sizeof expected, "column %d: ", cases[i].column);
        if (parse(cases[i].text, &error) || strncmp(error.text, expected, strlen(expected)) != 0)
            fail_msg("'%s': '%s', not %s", cases[i].text, error.text, expected);
    }
}

/* Whatever a line is, it is parsed or refused with a column of it; what is parsed fits the limits. */
static void any_line_is_survived(void **state) {
    static const char bytes[] = "0123456789  ::;;\\xx5bafz\xff";
    int good = 0;
    (void)state;
    srand(4);
    for (int i = 0; i < 200000; i++) {
        char from[40];
        size_t length = (size_t)rand() % (sizeof from - 8);
        size_t start = (size_t)sprintf(from, "%s", rand() % 2 != 0 ? "0 1 4 a" : "");
        for (size_t at = start; at < start + length; at++)
            from[at] = bytes[(size_t)rand() % (sizeof bytes - 1)];
        from[start + length] = '\0';
        struct error error = {""};
        if (parse(from, &error)) {
            good++;
            assert_in_range(line.frame_count, 1, line.total_nframe);
            assert_true(line.size <= INT64_MAX);
        } else {
            assert_memory_equal(error.text, "column ", 7);
            assert_in_range(strtoul(error.text + 7, NULL, 10), 1, strlen(from) + 1);
        }
    }
    assert_in_range(good, 100, 199900);
}

static void add(struct traces_in *traces, const char *from) {
    assert_true(parse(from, NULL));
    assert_true(traces_in_add(traces, &line, NULL));
}

static void stacks_are_held_once_and_sizes_apart(void **state) {
    (void)state;
    struct traces_in *traces = traces_in_new("t");
    add(traces, "0 10 2 a:1;b:2");
    add(traces, "0 10 2 a:1;b:2");
    add(traces, "0 11 2 a:1;b:2");
    add(traces, "1 10 2 a:1;b:2"); /* another domain */
    add(traces, "0 10 3 a:1;b:2"); /* another depth */
    const struct tables *tables = traces_in_tables(traces);
    struct error error = {""};
    assert_true(tables_check(tables, "t", &error));
    assert_int_equal(tables->region[HT_REGION_STACKS].count, HT_STACK_FIRST + 3);
    assert_int_equal(tables->region[HT_REGION_CELLS].count, 1 + 4);
    assert_int_equal(tables_cells(tables)[1].allocations, 2);
    assert_int_equal(tables->region[HT_REGION_MODULES].count, 1 + 2);
    assert_string_equal(tables_source_file(tables, 2), "a"); /* the oldest frame comes first */
    assert_string_equal(tables_module_name(tables, 2), "[source]");
    struct model *model = model_new(tables, NULL);
    assert_int_equal(model->stack_count, 3);
    assert_int_equal(model->totals.live_bytes, 51);
    model_free(model);
    traces_in_free(traces);
}

/* Enough of everything that all regions grow. */
static void many_traces_grow_the_tables(void **state) {
    (void)state;
    struct traces_in *traces = traces_in_new("t");
    for (int i = 0; i < 3000; i++) {
        char one[64];
        snprintf(one, sizeof one, "0 %d 2 f%d:%d;main:%d", i, i % 700, i, i % 10);
        add(traces, one);
    }
    const struct tables *tables = traces_in_tables(traces);
    assert_true(tables_check(tables, "t", NULL));
    assert_int_equal(tables->region[HT_REGION_STACKS].count, HT_STACK_FIRST + 3000);
    assert_int_equal(tables->region[HT_REGION_MODULES].count, 1 + 700 + 1);
    struct model *model = model_new(tables, NULL);
    assert_int_equal(model->totals.live_bytes, 3000 * 2999 / 2);
    model_free(model);
    traces_in_free(traces);
    trace_line_free(&line);
}

static void sums_and_domains_have_limits(void **state) {
    struct error error = {""};
    (void)state;
    struct traces_in *traces = traces_in_new("t");
    add(traces, "0 9223372036854775807 1 a:1");
    add(traces, "0 0 1 a:1");
    assert_true(parse("0 1 1 b:1", NULL));
    assert_false(traces_in_add(traces, &line, &error));
    assert_non_null(strstr(error.text, "9223372036854775807 bytes"));
    for (int i = 1; i <= 65534; i++) {
        char one[64];
        snprintf(one, sizeof one, "%d 0 1 a:1", 10 * i);
        add(traces, one);
    }
    assert_true(parse("7 0 1 a:1", NULL));
    assert_false(traces_in_add(traces, &line, &error));
    assert_non_null(strstr(error.text, "at most 65534 domains"));
    traces_in_free(traces);
    trace_line_free(&line);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_block),
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(what_is_wrong_is_said_with_its_column),
        cmocka_unit_test(any_line_is_survived),
        cmocka_unit_test(stacks_are_held_once_and_sizes_apart),
        cmocka_unit_test(many_traces_grow_the_tables),
        cmocka_unit_test(sums_and_domains_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
