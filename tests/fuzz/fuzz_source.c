/* fuzz_source.c - bytes -> snapshot or image -> model -> what top, diff, growth, annotate and info print of
 * it, as text and JSON; of an input with details with all metrics and histograms.
 *
 * An input is a file without the header's strings and padding, which nothing interprets and which would make
 * each input 16 KiB: one byte of choices, the header's head, its regions, totals and losses, then all that
 * follows the header. Checksums are put right unless the choice says otherwise: a fuzzer does not find them.
 *
 * Threads: one.  Heap: yes. */
#define _GNU_SOURCE
#include "commands/annotation.h"
#include "commands/info_facts.h"
#include "commands/make_histogram.h"
#include "fake_symbols.h"
#include "make_snapshot.h"
#include "source/image.h"
#include "source/snapshot.h"
#include "stats/growth.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#define REQUIRE(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

#define HEAD_BYTES offsetof(struct ht_header, label)
#define TAIL_BYTES (sizeof(struct ht_header) - offsetof(struct ht_header, regions))

enum choice {
    AS_SNAPSHOT = 1,
    RUNNING = 2,
    KEEP_CHECKSUMS = 4,
    CUMULATIVE = 8,
    BY_THREAD = 16
}; /* 32 and up: the metric */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);

/* A reader of a running image waits for its owners: here nobody writes. */
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left) {
    (void)wanted;
    (void)left;
    return 0;
}

static void repair_checksums(char *file, size_t size_bytes) {
    struct ht_header *header = (void *)file;
    for (int i = 0; i < HT_REGIONS; i++) {
        struct ht_region *region = &header->regions[i];
        if (region->offset <= size_bytes && region->stored_bytes <= size_bytes - region->offset)
            region->checksum = XXH64(file + region->offset, region->stored_bytes, 0);
    }
    header->header_checksum = 0;
    header->header_checksum = XXH64(file, HT_HEADER_BYTES, 0);
}

/* The file that an input stands for. */
static char *expand(const uint8_t *data, size_t size, size_t *size_bytes) {
    size_t rest = size - HEAD_BYTES - TAIL_BYTES;
    *size_bytes = HT_HEADER_BYTES + rest;
    char *file = aligned_alloc(64, (*size_bytes + 63) / 64 * 64);
    if (file == NULL)
        abort();
    memset(file, 0, HT_HEADER_BYTES);
    memcpy(file, data, HEAD_BYTES);
    memcpy(file + offsetof(struct ht_header, regions), data + HEAD_BYTES, TAIL_BYTES);
    memcpy(file + HT_HEADER_BYTES, data + HEAD_BYTES + TAIL_BYTES, rest);
    return file;
}

/* ---- what is printed ---- */

/* Text and JSON go to a string. What a terminal shows holds no byte that it takes for an order; what a
 * program reads is JSON. */
struct printed {
    FILE *out;
    char *text;
    size_t size;
};

static void begin(struct printed *self) {
    memset(self, 0, sizeof *self);
    self->out = open_memstream(&self->text, &self->size);
    REQUIRE(self->out != NULL);
}

static void end(struct printed *self, bool json) {
    REQUIRE(fclose(self->out) == 0);
    if (json) {
        json_error_t error;
        json_t *root = json_loadb(self->text, self->size, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
        REQUIRE(root != NULL);
        json_decref(root);
    }
    for (size_t i = 0; i < self->size; i++)
        REQUIRE(self->text[i] == '\n' || ((unsigned char)self->text[i] >= 0x20 && self->text[i] != 0x7f));
    free(self->text);
}

/* A table of an input, by its choices; and the names of its keys, metric and so on for what is printed. */
struct table {
    struct analysis_options options;
    struct loading loading;
};

static void begin_table(struct table *self, uint8_t choice, enum key key, enum metric metric) {
    *self = (struct table){.options = ANALYSIS_DEFAULTS};
    self->options.command = "fuzz";
    self->options.metric = (int)metric;
    self->options.keys = (struct option_choices){.count = 1, .at = {(int)key - 1}};
    self->options.rows = 1;
    self->options.cumulative = (choice & CUMULATIVE) != 0 && key != KEY_TRACEBACK;
    self->options.histogram = VIEW_NO_HISTOGRAM;
    self->loading = (struct loading){
        .options = &self->options,
        .query = {.keys = {key, KEY_END}, .metric = metric, .cumulative = self->options.cumulative}};
}

/* A table's rows add up to its total, in arithmetic that wraps as ours does. */
static void check_sums(const struct statistics *table) {
    uint64_t size = 0, count = 0;
    for (size_t i = 0; i < table->count; i++) {
        size += (uint64_t)table->rows[i].size;
        count += (uint64_t)table->rows[i].count;
    }
    REQUIRE(size == (uint64_t)table->size_total && count == (uint64_t)table->count_total);
}

/* No bucket is empty of values, and of a histogram none overlaps the next. */
static void check_histogram(const struct ht_detail *details, enum view_histogram_kind kind, uint64_t now_ns) {
    struct view_histogram histogram = make_histogram(details, kind, now_ns);
    for (size_t i = 0; i < histogram.count; i++) {
        const struct view_bucket *bucket = &histogram.buckets[i], *next = bucket + 1;
        REQUIRE(bucket->open || bucket->from < bucket->below);
        REQUIRE(kind == VIEW_AGES || i + 1 == histogram.count || bucket->below == next->from);
    }
}

/* Of a source with details, a histogram of all and of each row. */
static void show_top(struct table *table, const struct loaded *loaded, size_t size) {
    struct printed printed;
    struct error error;
    bool detailed = details_present(loaded->source.tables);
    table->options.histogram = detailed ? (int)(size % (VIEW_AGES + 1)) : VIEW_NO_HISTOGRAM;
    table->options.each = table->options.histogram != VIEW_NO_HISTOGRAM;
    begin(&printed);
    REQUIRE(analysis_print_top(&table->loading, loaded, printed.out, &error));
    end(&printed, table->options.json);
    if (table->options.each)
        check_histogram(&loaded->model->total_details, (enum view_histogram_kind)table->options.histogram,
                        loaded->model->now_ns);
    table->options.histogram = VIEW_NO_HISTOGRAM;
    table->options.each = false;
}

static void show(const struct loaded *old, const struct loaded *new, uint8_t choice, enum key key,
                 enum metric metric, size_t size) {
    struct table table;
    struct statistics rows;
    struct printed printed;
    struct error error;
    begin_table(&table, choice, key, metric);
    table.loading.frames = traces_frame_table(new->traces);
    for (int json = 0; json < 2; json++) {
        table.options.json = json != 0;
        show_top(&table, new, size);
        begin(&printed);
        REQUIRE(analysis_print_diff(&table.loading, old, new, printed.out, &error));
        end(&printed, table.options.json);
    }
    REQUIRE(statistics_of(new->traces, &table.loading.query, &rows, &error));
    if (!table.options.cumulative)
        check_sums(&rows);
    statistics_free(&rows);
}

/* The file of the example's frames, or one function of it; with the columns of details if there are any. */
static void show_annotation(const struct loaded *loaded, size_t size) {
    struct table table;
    struct error error;
    enum metric metric = details_present(loaded->source.tables) ? METRIC_WASTE : METRIC_LIVE;
    begin_table(&table, 0, KEY_LINENO, metric);
    table.loading.frames = traces_frame_table(loaded->traces);
    for (int json = 0; json < 2; json++) {
        struct printed printed;
        table.options.json = json != 0;
        begin(&printed);
        bool named = annotation_print(&table.loading, loaded, "fuzz",
                                      size % 2 == 0 ? "made.c" : "made.c:grow", printed.out, &error);
        end(&printed, named && table.options.json);
    }
}

/* They print to standard output. */
static void show_info(const struct loaded *loaded) {
    const struct info info = {&loaded->source, loaded->model, loaded->traces};
    struct printed printed;
    FILE *before = stdout;
    begin(&printed);
    stdout = printed.out;
    info_print_text(&info);
    stdout = before;
    end(&printed, false);
    begin(&printed);
    stdout = printed.out;
    info_print_json(&info);
    stdout = before;
    end(&printed, true);
}

static void show_growth(const struct loaded *old, const struct loaded *new) {
    struct table table;
    struct printed printed;
    struct error error;
    struct growth *growth = growth_new();
    REQUIRE(growth != NULL);
    begin_table(&table, 0, KEY_LINENO, METRIC_LIVE);
    table.loading.frames = traces_frame_table(new->traces);
    const struct loaded *looks[] = {old, new, new};
    for (int i = 0; i < 3; i++) {
        struct statistics rows;
        REQUIRE(statistics_of(looks[i]->traces, &table.loading.query, &rows, &error));
        REQUIRE(growth_look(growth, &rows, table.loading.frames, &error));
        REQUIRE(i < 2 || rows.count == 0); /* nothing has grown since */
        begin(&printed);
        REQUIRE(analysis_print_growth(&table.loading, looks[i], &rows, printed.out, &error));
        end(&printed, false);
        statistics_free(&rows);
    }
    growth_free(growth);
}

/* A name that begins so is of a source file, of which lines are printed: not by a fuzzer. */
static bool names_files(const struct tables *tables) {
    const struct records *strings = &tables->region[HT_REGION_STRINGS];
    static const char prefix[] = TABLES_SOURCE_PREFIX "/";
    return memmem(strings->at, strings->count, prefix, sizeof prefix - 1) != NULL;
}

static bool load(struct loaded *self, struct tables *tables, struct symbols *symbols, struct frames *frames,
                 enum model_rows rows) {
    struct error error;
    memset(self, 0, sizeof *self);
    self->source.tables = tables;
    self->source.kind = tables->header.kind == HT_KIND_SNAPSHOT ? SOURCE_SNAPSHOT
                        : tables->running                       ? SOURCE_RUNNING
                                                                : SOURCE_DEAD;
    snprintf(self->source.path, sizeof self->source.path, "fuzz");
    self->model = model_new_rows(tables, rows, &error);
    self->traces = self->model != NULL ? traces_new(self->model, symbols, frames, &error) : NULL;
    return self->traces != NULL;
}

static void unload(struct loaded *self) {
    traces_free(self->traces);
    model_free(self->model);
}

/* Not all of it for every input: which, its size says. */
static void show_all(const struct loaded *old, const struct loaded *new, uint8_t choice, size_t size) {
    static const enum key keys[] = {KEY_LINENO,   KEY_TRACEBACK, KEY_DOMAIN, KEY_SIZE, KEY_MODULE,
                                    KEY_FUNCTION, KEY_SCOPE,     KEY_TAG,    KEY_KIND};
    int metrics = details_present(new->source.tables) ? METRIC_PEAK_WASTE + 1 : METRIC_FREED + 1;
    enum metric metric = (enum metric)(((size_t)(choice >> 5) + size) % (size_t)metrics);
    show(old, new, choice, keys[size / 8 % (sizeof keys / sizeof *keys)], metric, size);
    if ((choice & BY_THREAD) != 0)
        show(old, new, choice, KEY_THREAD, metric, size);
    show_annotation(new, size);
    if (size % 4 != 0)
        show_info(new);
    else
        show_growth(old, new);
}

/* The example with details, whose frames have lines. */
static struct tables *begin_example(void) {
    static const struct symbols_frame grow = {.function = "grow", .file = "/made/made.c", .line = 12},
                                      inlined[] = {{.function = "make", .file = "/made/made.h", .line = 3},
                                                   {.function = "main", .file = "/made/made.c", .line = 40}};
    struct tables *example = make_example();
    make_details(example, 1);
    make_detail_figures(example);
    fake_symbols_add(0x1000, &grow, 1);
    fake_symbols_add(0x200, &grow, 1);
    fake_symbols_add(0x300, inlined, 2);
    return example;
}

static void use(struct tables *tables, uint8_t choice, size_t size) {
    static struct tables *example;
    enum model_rows rows = (choice & BY_THREAD) != 0 ? MODEL_BY_THREAD : MODEL_BY_STACK;
    struct loaded old, new;
    struct symbols *symbols = symbols_new(NULL);
    struct frames *frames = frames_new();
    example = example != NULL ? example : begin_example();
    bool loaded = load(&old, example, symbols, frames, rows);
    REQUIRE(loaded);
    if (load(&new, tables, symbols, frames, rows) && !names_files(tables))
        show_all(&old, &new, choice, size);
    unload(&new);
    unload(&old);
    frames_free(frames);
    symbols_free(symbols);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error error;
    size_t size_bytes;
    if (size < 1 + HEAD_BYTES + TAIL_BYTES)
        return 0;
    uint8_t choice = data[0];
    char *file = expand(data + 1, size - 1, &size_bytes);
    if ((choice & AS_SNAPSHOT) != 0 && (choice & KEEP_CHECKSUMS) == 0)
        repair_checksums(file, size_bytes);
    /* an odd sequence of a running process costs all the reader's patience: not for every input */
    bool running = (choice & RUNNING) != 0 && size % 4 == 1;
    struct tables *tables = (choice & AS_SNAPSHOT) != 0
                                ? snapshot_parse(file, size_bytes, "fuzz", &error)
                                : image_freeze(file, size_bytes, running, "fuzz", &error);
    if (tables != NULL)
        use(tables, choice, size);
    tables_free(tables);
    free(file);
    return 0;
}
