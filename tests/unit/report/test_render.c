/* test_render.c - each renderer against its golden file, byte for byte. With HEAPTALLY_UPDATE_GOLDEN set in
 * the environment it writes the files instead: then read the difference before you commit it. */
#define _GNU_SOURCE
#include "check.h"
#include "render/annotate.h"
#include "render/json_annotation.h"
#include "render/json_view.h"
#include "render/table.h"
#include "render/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ---- */

static char *read_file(const char *name) {
    char *path, *text = calloc(1, 1 << 16);
    assert_true(asprintf(&path, "%s/%s", GOLDEN, name) > 0);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        text[fread(text, 1, (1 << 16) - 1, file)] = '\0';
        fclose(file);
    }
    free(path);
    return text;
}

static void write_file(const char *name, const char *text) {
    char *path;
    assert_true(asprintf(&path, "%s/%s", GOLDEN, name) > 0);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

/* Where the tests lie is not for a golden file: it becomes /golden. */
static char *anywhere(char *text) {
    char *out = calloc(1, strlen(text) + 1), *end = out;
    for (const char *at = text; *at != '\0';)
        if (strncmp(at, GOLDEN, strlen(GOLDEN)) == 0) {
            end = stpcpy(end, "/golden");
            at += strlen(GOLDEN);
        } else {
            *end++ = *at++;
        }
    free(text);
    return out;
}

static void expect_golden(const char *name, char *text) {
    text = anywhere(text);
    if (getenv("HEAPTALLY_UPDATE_GOLDEN") != NULL)
        write_file(name, text);
    char *golden = read_file(name);
    assert_string_equal(text, golden);
    free(golden);
    free(text);
}

/* ---- a view ---- */

#define SOURCE GOLDEN "/source.c"

static struct view_frame frames[] = {
    {.file = SOURCE, .line = 5, .function = "make_node", .module = "/usr/bin/tree"},
    {.file = SOURCE, .line = 11, .function = "main", .module = "/usr/bin/tree"},
    {.module = "/lib/libc.so.6", .offset = 0x271c9, .has_offset = true, .function = "__libc_start_call_main"},
};
static struct view_frame hostile = {
    .file = "/tmp/\x1b[2J\"\\\n\xff\xc2\x9b.c", .line = 7, .function = "f<\"\t\">", .module = "/tmp/\x7f"};
static struct view_frame unknown = {.module = "[unknown]", .offset = 0x7f0012345678, .has_offset = true};
static struct view_frame stripped = {.module = "/usr/lib/libz.so.1", .offset = 0x2345, .has_offset = true};
static struct view_frame overflow = {.module = "[overflow]"};

static struct view_row rows[] = {
    {.place = {.file = SOURCE, .line = 5, .function = "make_node", .module = "/usr/bin/tree"},
     .frames = frames,
     .frame_count = 3,
     .numbers = {[VIEW_THREAD] = 4001, [VIEW_DOMAIN] = 7, [VIEW_SIZE] = 64},
     .kind = "new[]",
     .scope = "load/par\x1b[2Jse",
     .tag = "customer 7",
     .size = 8388608,
     .count = 100000,
     .size_diff = 4194304,
     .count_diff = 50000},
    {.place = {.module = "/lib/libc.so.6",
               .offset = 0x271c9,
               .has_offset = true,
               .function = "__libc_start_call_main"},
     .frames = &frames[2],
     .frame_count = 1,
     .kind = "malloc",
     .numbers = {[VIEW_SIZE] = 1},
     .size = 102400,
     .count = 3,
     .size_diff = 0,
     .count_diff = 0},
    {.place = {.file = "/tmp/\x1b[2J\"\\\n\xff\xc2\x9b.c",
               .line = 7,
               .function = "f<\"\t\">",
               .module = "/tmp/\x7f"},
     .frames = &hostile,
     .frame_count = 1,
     .kind = "malloc",
     .size = 10239,
     .count = 1,
     .size_diff = -512,
     .count_diff = -1},
    {.place = {.module = "[unknown]", .offset = 0x7f0012345678, .has_offset = true},
     .frames = &unknown,
     .frame_count = 1,
     .kind = "malloc",
     .size = 10,
     .count = 2},
    {.place = {.module = "/usr/lib/libz.so.1", .offset = 0x2345, .has_offset = true},
     .frames = &stripped,
     .frame_count = 1,
     .kind = "malloc",
     .size = 0,
     .count = 0,
     .size_diff = -77,
     .count_diff = -7},
    {.place = {.module = "[overflow]"},
     .frames = &overflow,
     .frame_count = 1,
     .kind = "malloc",
     .size = 1,
     .count = 1},
};

static const struct view_suppression by[] = {{"leak:make_*", "/usr/bin/tree", 1536, 1},
                                             {"leak:\x1b[2J", "/etc/\n.supp", 512, 2}};
static const struct view_suppressed suppressed = {
    .any = true, .size = 2048, .count = 3, .size_diff = -512, .by = by, .by_count = 2};

static const struct view_loss losses[] = {{"untracked_blocks", "blocks that are in no row", 3},
                                          {"fork", "never", 0}};

static struct view make_view(enum view_key key) {
    return (struct view){.keys = {key},
                         .limit = INT64_MAX,
                         .metric = "live",
                         .asked = 6,
                         .rows = rows,
                         .row_count = 6,
                         .other_count = 2,
                         .other_size = 12800,
                         .other_size_diff = -100,
                         .total_size = 8514058,
                         .total_size_diff = 4193615,
                         .totals = {8514058, 100009, 9000000, 100100, 20000000, 300000, 199991, 0, {0}},
                         .old_totals = {4320443, 50017, 9000000, 100100, 15000000, 200000, 149983, 0, {0}},
                         .losses = losses,
                         .loss_count = 2};
}

/* Not inlined: gcc 12 takes what a stream fills behind its back for a pointer to a dead variable. */
__attribute__((noinline)) static char *render(void (*renderer)(FILE *, const struct view *),
                                              const struct view *view) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    renderer(out, view);
    fclose(out);
    return text;
}

static void each_key_prints_its_place(void **state) {
    static const char *const names[VIEW_KEYS] = {
        [VIEW_LINENO] = "top-lineno.txt",
        [VIEW_FILENAME] = "top-filename.txt",
        [VIEW_FUNCTION] = "top-function.txt",
        [VIEW_MODULE] = "top-module.txt",
        [VIEW_TRACEBACK] = "top-traceback.txt",
        [VIEW_THREAD] = "top-thread.txt",
        [VIEW_DOMAIN] = "top-domain.txt",
        [VIEW_SIZE] = "top-size.txt",
        [VIEW_FREEING_THREAD] = "top-freeing-thread.txt",
        [VIEW_KIND] = "top-kind.txt",
        [VIEW_SCOPE] = "top-scope.txt",
        [VIEW_TAG] = "top-tag.txt",
    };
    (void)state;
    for (int key = VIEW_LINENO; key < VIEW_KEYS; key++) {
        struct view view = make_view((enum view_key)key);
        expect_golden(names[key], render(text_render, &view));
    }
}

static void domains_are_called_by_their_names(void **state) {
    (void)state;
    struct view_domain names[] = {{7, "pool\x1b[2J"}, {8, "nobody's"}};
    struct view view = make_view(VIEW_DOMAIN);
    view.domains = names;
    view.domain_count = 2;
    char *text = render(text_render, &view), *json = render(json_view_render, &view);
    assert_non_null(strstr(text, "domain pool\\x1b[2J: size="));
    assert_non_null(strstr(text, "domain 0: size="));
    assert_null(strstr(text, "nobody"));
    assert_non_null(strstr(json, "\"domain\": 7,\n   \"domain_name\": \"pool\\u001b[2J\""));
    free(text);
    free(json);
    view.python = true;
    text = render(text_render, &view);
    assert_non_null(strstr(text, "domain 7: size="));
    free(text);
}

static void keys_are_printed_in_their_order(void **state) {
    (void)state;
    struct view view = make_view(VIEW_FUNCTION);
    view.keys[1] = VIEW_MODULE;
    view.keys[2] = VIEW_THREAD;
    expect_golden("top-function-module-thread.txt", render(text_render, &view));
    view.keys[0] = VIEW_DOMAIN;
    view.keys[1] = VIEW_TRACEBACK;
    view.keys[2] = VIEW_SIZE;
    view.keys[3] = VIEW_KIND;
    view.keys[4] = VIEW_SCOPE;
    view.keys[5] = VIEW_TAG;
    expect_golden("top-combined.json", render(json_view_render, &view));
}

/* The rows of one stack with a limit, alone. */
static void append_stack(char **all, int64_t limit, bool python, bool most_recent_first) {
    struct view view = make_view(VIEW_TRACEBACK);
    view.row_count = 1;
    view.limit = limit;
    view.python = python;
    view.most_recent_first = most_recent_first;
    char *text = render(text_render, &view), *longer;
    *strstr(text, "2 other") = '\0';
    assert_true(asprintf(&longer, "%s# limit %d%s%s\n%s", *all, (int)limit, python ? ", tracemalloc's" : "",
                         most_recent_first ? ", most recent first" : "", strchr(text, '\n') + 1) > 0);
    free(text);
    free(*all);
    *all = longer;
}

static void stacks_are_cut_as_traceback_format(void **state) {
    char *all = strdup("");
    (void)state;
    append_stack(&all, 2, false, false);
    append_stack(&all, 2, true, true);
    append_stack(&all, 9, false, true);
    append_stack(&all, 0, false, false);
    append_stack(&all, 0, true, false);
    append_stack(&all, -1, false, false); /* the oldest */
    append_stack(&all, -1, true, false);  /* all but the newest */
    append_stack(&all, -9, true, false);  /* none */
    expect_golden("top-traceback-limits.txt", all);
}

static void bare_rows_are_one_a_line(void **state) {
    (void)state;
    struct view view = make_view(VIEW_LINENO);
    view.bare = true;
    expect_golden("top-bare.txt", render(text_render, &view));
    view.keys[0] = VIEW_TRACEBACK;
    expect_golden("top-bare-traceback.txt", render(text_render, &view));
}

static void differences_have_signs(void **state) {
    (void)state;
    struct view view = make_view(VIEW_LINENO);
    view.difference = true;
    view.suppressed = suppressed;
    expect_golden("diff.txt", render(text_render, &view));
    expect_golden("diff.json", render(json_view_render, &view));
    static const struct view_rebuilt rebuilt[] = {
        {"/usr/bin/tree", "0011", "/opt/tree", "2233", "function and line", NULL},
        {"/lib/a.so", "44", "/lib/a.so", NULL, NULL, "no symbol table"}};
    struct view_frame place = stripped;
    struct view_row row = {.place = stripped, .frames = &place, .frame_count = 1, .size = 9, .size_diff = 9};
    row.place.build = place.build = "0123456789abcdef";
    row.place.rebuilt = place.rebuilt = true;
    view.rows = &row;
    view.row_count = 1;
    view.rebuilt = rebuilt;
    view.rebuilt_count = 2;
    expect_golden("diff-rebuilt.txt", render(text_render, &view));
    expect_golden("diff-rebuilt.json", render(json_view_render, &view));
}

static void headings_name_the_metric(void **state) {
    (void)state;
    struct view view = make_view(VIEW_LINENO);
    view.row_count = 0;
    view.asked = 0;
    view.other_count = 0;
    view.loss_count = 0;
    view.metric = "peak";
    view.cumulative = true;
    expect_golden("top-empty.txt", render(text_render, &view));
}

static void json_is_json(void **state) {
    (void)state;
    struct view view = make_view(VIEW_TRACEBACK);
    char *text = render(json_view_render, &view);
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(root);
    json_t *first = json_array_get(json_object_get(root, "rows"), 0);
    assert_int_equal(json_integer_value(json_object_get(first, "size")), 8388608);
    assert_int_equal(json_array_size(json_object_get(first, "traceback")), 3);
    json_t *third = json_array_get(json_object_get(root, "rows"), 2);
    assert_string_equal(json_string_value(json_object_get(third, "function")), "f<\"\t\">");
    json_decref(root);
    expect_golden("top.json", text);
}

static char *annotated_by(void (*render_with)(FILE *, const struct annotation *),
                          struct annotation annotation) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    render_with(out, &annotation);
    fclose(out);
    return text;
}

static char *annotated(struct annotation annotation) {
    return annotated_by(annotate_render, annotation);
}

static void sources_are_annotated(void **state) {
    static const struct annotated_line lines[] = {
        {.line = 5, .live = 8388608, .peak = 9437184, .allocations = 300000, .frees = 199999},
        {.line = 11, .live = 0, .peak = 1, .allocations = 2, .frees = 2},
        {.line = 40, .live = -7, .allocations = 1, .frees = 3}, /* the file was longer then */
    };
    (void)state;
    expect_golden("annotate.txt", annotated((struct annotation){.file = SOURCE, .lines = lines, .count = 3}));
    expect_golden(
        "annotate-part.txt",
        annotated((struct annotation){
            .file = SOURCE, .lines = lines, .count = 2, .first = 5, .last = 11, .suppressed = suppressed}));
    expect_golden("annotate-missing.txt",
                  annotated((struct annotation){.file = "/no/such\x1b.c", .lines = lines, .count = 3}));
}

/* ---- details ---- */

static void append(char **all, struct view view) {
    char *text = render(text_render, &view), *longer;
    assert_true(asprintf(&longer, "%s# %s%s%s\n%s", *all, view.difference ? "difference" : "top",
                         view.growth ? ", growth" : "", view.bare ? ", bare" : "", text) > 0);
    free(text);
    free(*all);
    *all = longer;
}

static struct view_histogram sizes = {.kind = VIEW_SIZES,
                                      .count = 5,
                                      .buckets = {{0, 1, false, 0, 0},
                                                  {512, 1024, false, 30, -2},
                                                  {1024, 2048, false, 0, 0},
                                                  {2048, 4096, false, 60, 12},
                                                  {1 << 30, 0, true, 10, 10}}};

/* One of every kind, one that is empty, and rows that have theirs. */
static void details_are_printed(void **state) {
    static const enum view_histogram_kind kinds[] = {VIEW_SIZES, VIEW_LIFETIMES, VIEW_LATER, VIEW_AGES};
    struct view_row detailed[2];
    struct view view = make_view(VIEW_LINENO);
    char *all = strdup("");
    (void)state;
    memcpy(detailed, rows, sizeof detailed);
    detailed[0].histogram = &sizes;
    detailed[0].details = (struct view_details){1, 2, 30, 4000, 5, 60000, 7, 8, -9, 10};
    view.rows = detailed;
    view.row_count = 2;
    view.metric = "reallocs";
    view.of_counts = true;
    view.total_count = 100009;
    view.details = true;
    view.temporary_below = 3;
    view.total_details = (struct view_details){11, 12, 13, 14, 15, 16, 17, 18, 19, -20};
    view.histogram = sizes;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        view.histogram.kind = kinds[i];
        append(&all, view);
    }
    view.metric = "temporary";
    view.histogram = (struct view_histogram){.kind = VIEW_AGES};
    append(&all, view);
    expect_golden("details.txt", all);
    view.histogram = sizes;
    expect_golden("details.json", render(json_view_render, &view));
}

static void details_of_lines_have_columns(void **state) {
    static const struct annotated_line lines[] = {
        {.line = 5,
         .live = 8,
         .peak = 9,
         .allocations = 30,
         .frees = 29,
         .temporaries = 12,
         .reallocs = 3,
         .waste = 16},
        {.line = 11, .peak = 1, .allocations = 2, .frees = 2, .temporaries = 1},
    };
    (void)state;
    struct annotation annotation = {.file = SOURCE, .lines = lines, .count = 2, .details = true};
    expect_golden("annotate-details.txt", annotated(annotation));
    expect_golden("annotate-details.json", annotated_by(json_annotation_render, annotation));
}

static void annotations_are_json(void **state) {
    static const struct annotated_line lines[] = {
        {.line = 5,
         .live = 8388608,
         .peak = 9437184,
         .allocations = 300000,
         .frees = 199999,
         .variances = {.live = 1e10, .peak = 4e10, .allocations = 1e6, .frees = -1e-9}},
        {.line = 40, .live = -7, .peak = 1, .allocations = 1, .frees = 3}, /* the file was longer then */
    };
    struct annotation annotation = {.file = SOURCE, .lines = lines, .count = 2};
    (void)state;
    expect_golden("annotate.json", annotated_by(json_annotation_render, annotation));
    annotation.function = "f<\"\x1b\">";
    annotation.sample_bytes = 524288;
    annotation.suppressed = suppressed;
    expect_golden("annotate-estimates.json", annotated_by(json_annotation_render, annotation));
}

/* ---- estimates ---- */

/* The rows with errors, as a sampled process has them. */
static struct view make_estimates(struct view_row *with_errors) {
    struct view view = make_view(VIEW_LINENO);
    memcpy(with_errors, rows, sizeof rows);
    with_errors[0].size_error = 1024.0 * 1024 + 300;
    with_errors[0].count_error = 12345.6;
    with_errors[0].size_diff_error = 2048.0 * 1024;
    with_errors[0].count_diff_error = 20000;
    view.rows = with_errors;
    view.totals.sample_bytes = view.old_totals.sample_bytes = 512 * 1024;
    view.totals.errors.live_bytes = 1.5e6;
    view.totals.errors.frees = 7.25;
    view.other_size_error = 4096;
    view.other_size_diff_error = 5000;
    view.total_size_error = 1.5e6;
    view.total_size_diff_error = 2.25e6;
    view.suppressed = (struct view_suppressed){
        .any = true, .size = 2048, .count = 3, .size_error = 1024, .count_error = 1.5};
    return view;
}

static void estimates_have_errors(void **state) {
    struct view_row with_errors[sizeof rows / sizeof *rows];
    struct view view = make_estimates(with_errors);
    char *all = strdup("");
    (void)state;
    view.row_count = 2;
    append(&all, view);
    view.difference = true;
    append(&all, view);
    view.old_totals.sample_bytes = 0;
    append(&all, view);
    view.growth = true;
    append(&all, view);
    view.bare = true;
    append(&all, view);
    expect_golden("estimates.txt", all);
    view.growth = false;
    expect_golden("estimates.json", render(json_view_render, &view));
}

static void estimates_of_lines_have_errors(void **state) {
    static const struct annotated_line lines[] = {
        {.line = 5,
         .live = 8388608,
         .peak = 9437184,
         .allocations = 300000,
         .frees = 199999,
         .variances = {.live = 1e10, .peak = 4e10, .allocations = 1e6, .frees = 9e4}},
        {.line = 11, .live = 0, .peak = 1, .allocations = 2, .frees = 2, .variances = {.live = -1e-9}},
    };
    (void)state;
    expect_golden(
        "annotate-estimates.txt",
        annotated((struct annotation){
            .file = SOURCE,
            .lines = lines,
            .count = 2,
            .sample_bytes = 65536,
            .suppressed = {.any = true, .size = 512, .count = 2, .size_error = 100, .count_error = 1}}));
}

static void tables_are_aligned(void **state) {
    static const struct table_column columns[] = {
        {"PID", true}, {"PROGRAM", false}, {"LIVE", true}, {"STARTED", false}};
    static const char *const cells[] = {"1",     "caf\xc3\xa9", "84 B",     "now", //
                                        "12345", "a\x1b[m",     "8192 KiB", "then"};
    char *text = NULL;
    size_t size;
    (void)state;
    FILE *out = open_memstream(&text, &size);
    table_render(out, columns, 4, cells, 2);
    fclose(out);
    expect_golden("table.txt", text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_prints_its_place),
        cmocka_unit_test(domains_are_called_by_their_names),
        cmocka_unit_test(keys_are_printed_in_their_order),
        cmocka_unit_test(stacks_are_cut_as_traceback_format),
        cmocka_unit_test(bare_rows_are_one_a_line),
        cmocka_unit_test(differences_have_signs),
        cmocka_unit_test(headings_name_the_metric),
        cmocka_unit_test(json_is_json),
        cmocka_unit_test(sources_are_annotated),
        cmocka_unit_test(details_are_printed),
        cmocka_unit_test(details_of_lines_have_columns),
        cmocka_unit_test(annotations_are_json),
        cmocka_unit_test(estimates_have_errors),
        cmocka_unit_test(estimates_of_lines_have_errors),
        cmocka_unit_test(tables_are_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
