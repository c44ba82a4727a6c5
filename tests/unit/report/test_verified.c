/* test_verified.c - stacks that were unwound twice and differ, as `heaptally info` shows them. */
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
    info_put_verified(out, tables);
    fclose(out);
    return text;
}

static char *shown_as_json(const struct tables *tables) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct json json = {.out = out};
    json_open(&json, NULL, '{');
    info_put_json_verified(&json, tables);
    json_close(&json, '}');
    fclose(out);
    return text;
}

static size_t lines_with(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        count++;
    return count;
}

static struct tables *verified(void) {
    struct tables *tables = make_example();
    tables->header.verify_every = 10;
    tables->header.verified_stacks = 1000;
    tables->header.mismatched_stacks = 1;
    snprintf(tables->header.unwinder, sizeof tables->header.unwinder, "cfi");
    return tables;
}

static void expect(char *text, const char *expected) {
    assert_string_equal(text, expected);
    free(text);
}

static void nothing_was_verified(void **state) {
    (void)state;
    struct tables *tables = make_example();
    expect(shown(tables), "");
    tables_free(tables);
}

static void both_stacks_stand_side_by_side(void **state) {
    (void)state;
    struct tables *tables = verified();
    struct ht_mismatch *record;
    uint32_t id = make_mismatch(tables, 3, 1);
    record = (struct ht_mismatch *)tables->region[HT_REGION_MISMATCHES].at + id;
    record->verified = 77;
    record->stack_pointer = 0x7ffc0000;
    record->frames[2] = 0x12; /* of no module */
    expect(shown(tables), "verified         1000 stacks unwound twice, 1 differ\n"
                          "  stack 77, sp 0x7ffc0000: 3 and 4 frames, newest first, * where they differ\n"
                          "        cfi                                         libunwind\n"
                          "      0 made+0x1000                                 made+0x1000\n"
                          "  *   1 made+0x1010                                 made+0x1011\n"
                          "  *   2 0x12                                        made+0x1021\n"
                          "  *   3 -                                           made+0x1031\n");
    tables->header.guessed_stacks = 5;
    tables->region[HT_REGION_MISMATCHES].count = 1;
    expect(shown(tables),
           "verified         1000 stacks unwound twice, 1 differ, 5 more below code without call "
           "frame information, where both guess\n");
    tables_free(tables);
}

static void only_the_first_are_shown(void **state) {
    (void)state;
    struct tables *tables = verified();
    for (int i = 0; i < 6; i++)
        make_mismatch(tables, 2, 0);
    char *text = shown(tables), *json = shown_as_json(tables);
    assert_int_equal(lines_with(text, "  stack "), 4);
    assert_non_null(strstr(text, "  2 more are kept (--json)\n"));
    assert_int_equal(lines_with(json, "\"differs_at\""), 6);
    free(text);
    free(json);
    tables_free(tables);
}

/* No frame beyond what a record holds is read; what was not published is not shown. */
static void hostile_records_are_cut(void **state) {
    (void)state;
    struct tables *tables = verified();
    struct ht_mismatch *records;
    make_mismatch(tables, UINT32_MAX - 1, UINT32_MAX);
    make_mismatch(tables, 127, 126);
    make_mismatch(tables, 2, 0);
    records = tables->region[HT_REGION_MISMATCHES].at;
    records[3].valid = 2;
    tables->region[HT_REGION_MODULES].count = 1; /* no names */
    char *text = shown(tables), *json = shown_as_json(tables);
    assert_int_equal(lines_with(text, "  stack "), 2);
    assert_int_equal(lines_with(text, "the first 126 are kept"), 2);
    assert_int_equal(lines_with(json, "\"address\""), 4 * HT_MISMATCH_FRAMES);
    assert_int_equal(lines_with(json, "\"module\": null"), 4 * HT_MISMATCH_FRAMES);
    free(text);
    free(json);
    tables_free(tables);
}

/* Each of their frames is looked for among the modules: a file cannot make that endless. */
static void more_records_than_there_can_be_are_cut(void **state) {
    (void)state;
    struct tables *tables = verified();
    for (uint32_t i = 0; i < 2 * HT_MISMATCHES_MAX; i++)
        make_mismatch(tables, 1, 0);
    char *json = shown_as_json(tables);
    assert_int_equal(lines_with(json, "\"differs_at\""), HT_MISMATCHES_MAX - 1);
    free(json);
    tables_free(tables);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_was_verified),
        cmocka_unit_test(both_stacks_stand_side_by_side),
        cmocka_unit_test(only_the_first_are_shown),
        cmocka_unit_test(hostile_records_are_cut),
        cmocka_unit_test(more_records_than_there_can_be_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
