/* test_annotation.c - what `heaptally annotate` makes of a source that is open. */
#include "check.h"
#include "commands/annotation.h"
#include "fake_symbols.h"
#include "make_snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is printed; null: an error. The example's stacks end in two functions on one line. */
static char *annotated(const struct tables *tables, const char *place, enum metric metric,
                       struct error *error) {
    static const struct symbols_frame grow = {.function = "grow", .file = "/made/made.c", .line = 12},
                                      made = {.function = "make", .file = "/made/made.c", .line = 12};
    struct analysis_options options = ANALYSIS_DEFAULTS;
    struct loaded loaded = {.model = model_new(tables, error)};
    struct loading loading = {
        .options = &options, .query.metric = metric, .symbols = symbols_new(NULL), .frames = frames_new()};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    options.metric = (int)metric;
    fake_symbols_forget();
    fake_symbols_add(0x200, &grow, 1);
    fake_symbols_add(0x300, &made, 1);
    loaded.source.tables = (struct tables *)(uintptr_t)tables;
    loaded.traces = traces_new(loaded.model, loading.symbols, loading.frames, error);
    bool done = annotation_print(&loading, &loaded, "made.hts", place, out, error);
    fclose(out);
    traces_free(loaded.traces);
    model_free(loaded.model);
    frames_free(loading.frames);
    symbols_free(loading.symbols);
    if (!done) {
        free(text);
        return NULL;
    }
    return text;
}

static void expect(struct tables *tables, const char *place, enum metric metric, const char *expected) {
    struct error error = {""};
    char *text = annotated(tables, place, metric, &error);
    assert_string_equal(text != NULL ? text : error.text, expected);
    free(text);
}

static void figures_are_those_of_the_line(void **state) {
    (void)state;
    struct tables *tables = make_example();
    expect(tables, "made.c", METRIC_LIVE,
           "/made/made.c\n"
           " LINE  LIVE  PEAK  ALLOCATIONS  FREES  SOURCE\n"
           "   12  7601  7601          108     40\n"
           "TOTAL  7601  7601          108     40\n");
    make_details(tables, 1);
    make_detail_figures(tables);
    expect(tables, "made/made.c:grow", METRIC_WASTE,
           "/made/made.c\n"
           " LINE  LIVE  PEAK  ALLOCATIONS  FREES  TEMPORARY  REALLOCS  WASTE  SOURCE\n"
           "   12   601   601          101     40         20       101    488\n"
           "TOTAL   601   601          101     40         20       101    488\n");
    expect(tables, "made.c:shrink", METRIC_LIVE,
           "annotate: made.hts: no row names made.c:shrink (heaptally top -n 0 -k filename lists files, -k "
           "function functions)");
    tables_free(tables);
}

/* Counters of a damaged file wrap. */
static void hostile_figures_are_survived(void **state) {
    (void)state;
    struct tables *tables = make_example();
    make_details(tables, 1);
    for (uint32_t i = 1; i <= 2; i++) {
        made_detail(tables, i)->temporaries = made_detail(tables, i)->reallocs = INT64_MAX;
        made_detail(tables, i)->allocated_waste_bytes = INT64_MAX;
    }
    expect(tables, "made.c", METRIC_WASTE,
           "/made/made.c\n"
           " LINE  LIVE  PEAK  ALLOCATIONS  FREES  TEMPORARY  REALLOCS  WASTE  SOURCE\n"
           "   12  7601  7601          108     40         -2        -2     -2\n"
           "TOTAL  7601  7601          108     40         -2        -2     -2\n");
    tables_free(tables);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_the_line),
        cmocka_unit_test(hostile_figures_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
