/* fuzz_import.c - a text of traces -> imported tables -> the text that `dump` prints of them -> imported
 * again.
 *
 * An input is the text. What is not refused comes back: each line is printed as it is parsed, the blocks of
 * the snapshot are those of the text, and its dump has the same lines. What takes long is for some sizes of
 * input alone: every fourth dump is imported again, every 32nd snapshot goes through a file.
 *
 * Threads: one.  Heap: yes. */
#define _GNU_SOURCE
#include "exchange/traces_in.h"
#include "exchange/traces_out.h"
#include "source/model.h"
#include "source/snapshot.h"
#include "source/snapshot_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

/* A text that is being made, and then cut into lines. */
struct text {
    FILE *out;
    char *bytes, **lines;
    size_t size, count;
};

static void begin(struct text *self) {
    memset(self, 0, sizeof *self);
    self->out = open_memstream(&self->bytes, &self->size);
    REQUIRE(self->out != NULL);
}

static void end(struct text *self) {
    REQUIRE(fclose(self->out) == 0);
}

static void discard(struct text *self) {
    free(self->bytes);
    free(self->lines);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(struct text *self) {
    self->lines = calloc(self->size + 1, sizeof *self->lines);
    REQUIRE(self->lines != NULL);
    for (char *at = self->bytes, *next; at < self->bytes + self->size; at = next + 1) {
        next = strchr(at, '\n');
        REQUIRE(next != NULL);
        *next = '\0';
        self->lines[self->count++] = at;
    }
    qsort(self->lines, self->count, sizeof *self->lines, by_text);
}

/* ---- lines ---- */

static void put_line(FILE *out, const struct trace_line *line) {
    fprintf(out, "%" PRIu32 " %" PRIu64 " %" PRIu32, (uint32_t)line->domain, line->size,
            (uint32_t)line->total_nframe);
    for (size_t i = 0; i < line->frame_count; i++) {
        fputc(i == 0 ? ' ' : ';', out);
        trace_line_put_file(out, line->frames[i].file);
        fprintf(out, ":%" PRIu32, line->frames[i].line);
    }
}

/* What was parsed is printed, and what is printed is parsed as the same. */
static void check_line(const struct trace_line *line) {
    struct text first, second;
    struct trace_line again = {0};
    struct error error = {""};
    begin(&first);
    put_line(first.out, line);
    end(&first);
    char *copy = strdup(first.bytes);
    REQUIRE(copy != NULL && trace_line_parse(&again, copy, &error));
    begin(&second);
    put_line(second.out, &again);
    end(&second);
    REQUIRE(strcmp(first.bytes, second.bytes) == 0);
    trace_line_free(&again);
    free(copy);
    discard(&first);
    discard(&second);
}

/* A column that an error names is one of the line, or the one behind it. */
static void check_refusal(const char *line, const struct error *error) {
    size_t column = 0;
    REQUIRE(sscanf(error->text, "column %zu: ", &column) == 1);
    REQUIRE(column >= 1 && column <= strlen(line) + 1);
}

/* The sum of a text's blocks, and the text as we would print it. */
struct expected {
    struct text text;
    uint64_t blocks, bytes;
    bool good, sums_fit;
};

static void expect_line(struct expected *self, const char *text, size_t length) {
    struct trace_line line = {0};
    struct error error = {""};
    char *copy = strndup(text, length);
    REQUIRE(copy != NULL);
    if (strlen(copy) != length) {
        self->good = false;
    } else if (!trace_line_is_empty(copy) && !trace_line_parse(&line, copy, &error)) {
        char *whole = strndup(text, length);
        REQUIRE(whole != NULL);
        check_refusal(whole, &error);
        free(whole);
        self->good = false;
    } else if (line.frame_count != 0) {
        check_line(&line);
        put_line(self->text.out, &line);
        fputc('\n', self->text.out);
        self->blocks++;
        self->sums_fit = self->sums_fit && line.size <= INT64_MAX - self->bytes;
        self->bytes += line.size;
    }
    trace_line_free(&line);
    free(copy);
}

static void expect(struct expected *self, const char *text, size_t size) {
    *self = (struct expected){.good = true, .sums_fit = true};
    begin(&self->text);
    for (size_t at = 0; self->good && at < size;) {
        const char *newline = memchr(text + at, '\n', size - at);
        size_t length = newline != NULL ? (size_t)(newline - text) - at : size - at;
        expect_line(self, text + at, length);
        at += length + 1;
    }
    end(&self->text);
}

/* ---- snapshots ---- */

/* Null where the text is refused. */
static struct traces_in *import(const char *text, size_t size, struct error *error) {
    struct traces_in *traces = traces_in_new("fuzz");
    FILE *in = size != 0 ? fmemopen((void *)(uintptr_t)text, size, "r") : fopen("/dev/null", "r");
    REQUIRE(traces != NULL && in != NULL);
    bool done = traces_in_read(traces, in, "fuzz", error);
    fclose(in);
    if (done)
        return traces;
    REQUIRE(strncmp(error->text, "fuzz: line ", 11) == 0);
    traces_in_free(traces);
    return NULL;
}

static void dump(const struct tables *tables, struct text *text) {
    struct error error = {""};
    uint64_t left_out;
    begin(text);
    REQUIRE(traces_out_write(tables, text->out, &left_out, &error));
    REQUIRE(left_out == 0);
    end(text);
}

static void check_sums(const struct tables *tables, const struct expected *expected) {
    struct error error = {""};
    REQUIRE(tables_check(tables, "fuzz", &error));
    struct model *model = model_new(tables, &error);
    REQUIRE(model != NULL);
    REQUIRE((uint64_t)model->totals.live_bytes == expected->bytes);
    REQUIRE((uint64_t)model->totals.live_blocks == expected->blocks);
    model_free(model);
}

static void check_same_lines(struct text *a, struct text *b) {
    sort_lines(a);
    sort_lines(b);
    REQUIRE(a->count == b->count);
    for (size_t i = 0; i < a->count; i++)
        REQUIRE(strcmp(a->lines[i], b->lines[i]) == 0);
}

/* A dump's order is kept by the dump of what it is imported as. */
static void check_again(const struct text *dumped) {
    struct error error = {""};
    struct text again;
    struct traces_in *traces = import(dumped->bytes, dumped->size, &error);
    REQUIRE(traces != NULL);
    dump(traces_in_tables(traces), &again);
    REQUIRE(again.size == dumped->size && memcmp(again.bytes, dumped->bytes, again.size) == 0);
    discard(&again);
    traces_in_free(traces);
}

/* Through a file, as the command does it. */
static void check_file(const struct tables *tables, const struct text *dumped) {
    char path[] = "/tmp/heaptally-fuzz-XXXXXX";
    struct snapshot_options how = {.number = 1, .compress = true, .overwrite = true};
    struct error error = {""};
    struct text read;
    int fd = mkstemp(path);
    REQUIRE(fd >= 0 && close(fd) == 0);
    REQUIRE(snapshot_write(tables, path, &how, NULL, &error));
    struct tables *stored = snapshot_read(path, &error);
    REQUIRE(stored != NULL);
    unlink(path);
    dump(stored, &read);
    REQUIRE(read.size == dumped->size && memcmp(read.bytes, dumped->bytes, read.size) == 0);
    discard(&read);
    tables_free(stored);
}

static void check_imported(const struct tables *tables, struct expected *expected, size_t size) {
    struct text dumped;
    check_sums(tables, expected);
    dump(tables, &dumped);
    if (size % 4 == 0)
        check_again(&dumped);
    if (size % 32 == 0)
        check_file(tables, &dumped);
    check_same_lines(&dumped, &expected->text);
    discard(&dumped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error error = {""};
    struct expected expected;
    expect(&expected, (const char *)data, size);
    struct traces_in *traces = import((const char *)data, size, &error);
    REQUIRE((traces != NULL) == (expected.good && expected.sums_fit));
    if (traces != NULL)
        check_imported(traces_in_tables(traces), &expected, size);
    traces_in_free(traces);
    discard(&expected.text);
    return 0;
}
