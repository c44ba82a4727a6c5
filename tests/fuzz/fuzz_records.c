/* fuzz_records.c - the small things that the command reads beside images and snapshots: what /proc says,
 * names in the directory of images, the log of a run, the maxima that `growth` keeps, programs to be run,
 * source files.
 *
 * An input is a byte that says which, and its bytes. What is read is in the input, and what we write
 * ourselves comes back as it was.
 *
 * Threads: one.  Heap: yes. */
#define _GNU_SOURCE
#include "fake_symbols.h"
#include "make_snapshot.h"
#include "render/annotate.h"
#include "render/source_line.h"
#include "run/session.h"
#include "run/target.h"
#include "source/directory.h"
#include "source/model.h"
#include "source/open.h"
#include "source/process.h"
#include "stats/growth.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static FILE *open_text(const char *text, size_t size) {
    FILE *in = size != 0 ? fmemopen((void *)(uintptr_t)text, size, "r") : fopen("/dev/null", "r");
    REQUIRE(in != NULL);
    return in;
}

/* A file of these bytes, of which `path` is a name while `*fd` is open. */
static void open_file(const char *text, size_t size, int *fd, char path[64]) {
    *fd = memfd_create("fuzz", MFD_CLOEXEC);
    REQUIRE(*fd >= 0 && write(*fd, text, size) == (ssize_t)size);
    snprintf(path, 64, "/proc/self/fd/%d", *fd);
}

/* ---- /proc ---- */

static void read_stat(const char *text, size_t size) {
    uint64_t ticks = 0, again = 0;
    bool alive = false, still = false;
    char written[128];
    (void)size;
    if (!process_parse_stat(text, &ticks, &alive))
        return;
    snprintf(written, sizeof written,
             "1 (a) b) %c 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 %d 18 %" PRIu64 " 20\n", alive ? 'R' : 'Z',
             1, ticks);
    REQUIRE(process_parse_stat(written, &again, &still) && again == ticks && still == alive);
}

static void read_maps(const char *text, size_t size) {
    static const char suffix[] = ".htimage";
    for (size_t room = 16; room <= 4096; room *= 16) {
        char *path = malloc(room);
        REQUIRE(path != NULL);
        FILE *maps = open_text(text, size);
        if (process_image_in_maps(maps, path, room)) {
            size_t length = strnlen(path, room);
            REQUIRE(length < room && length > sizeof suffix - 1 && path[0] == '/');
            REQUIRE(strcmp(path + length - (sizeof suffix - 1), suffix) == 0);
            REQUIRE(memmem(text, size, path, length) != NULL);
        }
        fclose(maps);
        free(path);
    }
}

/* ---- names ---- */

static void read_name(const char *text, size_t size) {
    struct image_entry entry, again;
    char written[128];
    uint32_t pid;
    (void)size;
    if (source_is_pid(text, &pid))
        REQUIRE(pid != 0 && strtoull(text, NULL, 10) == pid);
    if (!directory_parse_name(text, &entry))
        return;
    REQUIRE(strcmp(entry.name, text) == 0);
    snprintf(written, sizeof written, "%" PRIu32 ".%" PRIu64 ".%" PRIu32 ".htimage", entry.pid,
             entry.start_ticks, entry.exec_index);
    REQUIRE(directory_parse_name(written, &again));
    REQUIRE(again.pid == entry.pid && again.start_ticks == entry.start_ticks &&
            again.exec_index == entry.exec_index);
}

/* ---- the log of a run ---- */

static void check_event(const struct session_event *event) {
    struct session_event again;
    char *line;
    REQUIRE(event->path[0] == '/' && memchr(event->path, '\0', sizeof event->path) != NULL);
    REQUIRE(asprintf(&line, "%" PRIu32 " %" PRIu32 " %" PRIu32 " %s", event->pid, event->number,
                     event->trigger, event->path) > 0);
    REQUIRE(session_parse(line, &again));
    REQUIRE(again.pid == event->pid && again.number == event->number && again.trigger == event->trigger &&
            strcmp(again.path, event->path) == 0);
    free(line);
}

static void read_log(const char *text, size_t size) {
    struct session session = {.fd = -1};
    struct session_event event;
    char path[64];
    size_t events = 0, lines = 0;
    open_file(text, size, &session.fd, path);
    for (; session_next(&session, &event); events++)
        check_event(&event);
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    REQUIRE(events <= lines && session.read_bytes <= (off_t)size);
    close(session.fd);
}

/* ---- the maxima of growth ---- */

static char *save(const struct growth *growth, size_t *size) {
    char *text;
    FILE *out = open_memstream(&text, size);
    REQUIRE(out != NULL);
    growth_save(growth, out);
    REQUIRE(fclose(out) == 0);
    return text;
}

static struct growth *load(const char *text, size_t size) {
    struct growth *growth = growth_new();
    struct error error = {""};
    FILE *in = open_text(text, size);
    REQUIRE(growth != NULL);
    bool good = growth_load(growth, in, "fuzz", &error);
    fclose(in);
    if (good)
        return growth;
    REQUIRE(strncmp(error.text, "fuzz: ", 6) == 0);
    growth_free(growth);
    return NULL;
}

/* What was saved is loaded as the same. */
static void check_saved(const struct growth *growth) {
    size_t size, again_size;
    char *saved = save(growth, &size);
    struct growth *again = load(saved, size);
    REQUIRE(again != NULL);
    char *saved_again = save(again, &again_size);
    REQUIRE(size == again_size && memcmp(saved, saved_again, size) == 0);
    free(saved);
    free(saved_again);
    growth_free(again);
}

/* How many rows are above their maxima. */
static size_t look(struct growth *growth, struct traces *traces, struct frames *frames) {
    const struct query query = {.keys = {KEY_LINENO, KEY_END}, .metric = METRIC_LIVE};
    struct statistics rows;
    struct error error;
    REQUIRE(statistics_of(traces, &query, &rows, &error));
    size_t all = rows.count;
    REQUIRE(growth_look(growth, &rows, frames, &error) && rows.count <= all);
    for (size_t i = 0; i < rows.count; i++)
        REQUIRE(rows.rows[i].size_diff > 0 && rows.rows[i].size_diff <= rows.rows[i].size);
    size_t grown = rows.count;
    statistics_free(&rows);
    return grown;
}

static void look_twice(struct growth *growth) {
    struct error error;
    struct tables *tables = make_example();
    struct symbols *symbols = symbols_new(NULL);
    struct frames *frames = frames_new();
    struct model *model = model_new(tables, &error);
    REQUIRE(symbols != NULL && frames != NULL && model != NULL);
    struct traces *traces = traces_new(model, symbols, frames, &error);
    REQUIRE(traces != NULL);
    look(growth, traces, frames);
    check_saved(growth);
    REQUIRE(look(growth, traces, frames) == 0);
    traces_free(traces);
    model_free(model);
    frames_free(frames);
    symbols_free(symbols);
    tables_free(tables);
}

static void read_maxima(const char *text, size_t size) {
    struct growth *growth = load(text, size);
    if (growth == NULL)
        return;
    check_saved(growth);
    look_twice(growth);
    growth_free(growth);
}

/* ---- programs ---- */

/* A script's interpreter would be looked at too, whatever file it is: not by a fuzzer. */
static void read_program(const char *text, size_t size) {
    struct error error = {""};
    char path[64];
    int fd;
    if (size >= 2 && memcmp(text, "#!", 2) == 0)
        return;
    open_file(text, size, &fd, path);
    int refused = target_check(path, &error);
    REQUIRE((refused != 0) == (error.text[0] != '\0'));
    close(fd);
}

/* ---- source files ---- */

static bool blank(char byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Line text[0..length) with its newline, as the two functions give it. */
static void check_line(struct source_lines *lines, const char *path, uint32_t number, const char *text,
                       size_t length) {
    size_t whole_length = length, bare_length = 0;
    const char *whole = source_lines_whole(lines, path, number, &whole_length);
    const char *bare = source_lines_get(lines, path, number, &bare_length);
    while (length != 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    REQUIRE(whole != NULL && whole_length == length && memcmp(whole, text, length) == 0);
    while (length != 0 && blank(text[length - 1]))
        length--;
    while (length != 0 && blank(*text)) {
        text++;
        length--;
    }
    REQUIRE((bare == NULL) == (length == 0));
    REQUIRE(bare == NULL || (bare_length == length && memcmp(bare, text, length) == 0));
}

static void check_lines(struct source_lines *lines, const char *path, const char *text, size_t size) {
    uint32_t count = 0;
    size_t length;
    for (size_t at = 0; at < size; at += length) {
        const char *newline = memchr(text + at, '\n', size - at);
        length = newline != NULL ? (size_t)(newline + 1 - text) - at : size - at;
        check_line(lines, path, ++count, text + at, length);
    }
    REQUIRE(source_lines_count(lines, path) == count);
    REQUIRE(source_lines_get(lines, path, 0, &length) == NULL);
    REQUIRE(source_lines_get(lines, path, UINT32_MAX, &length) == NULL);
}

/* Lines with numbers beyond the file's end are printed too, and every line once; no byte of the file orders a
 * terminal about. */
static void check_annotated(const char *path, uint32_t count) {
    const struct annotated_line lines[] = {
        {.line = 1, .live = INT64_MAX, .allocations = 1},
        {.line = count + 7, .live = INT64_MAX, .peak = INT64_MIN, .frees = -1},
        {.line = UINT32_MAX, .peak = -1, .frees = INT64_MIN}};
    const struct annotation annotation = {.file = path, .lines = lines, .count = 3, .first = 1};
    char *text;
    size_t size, printed = 0;
    FILE *out = open_memstream(&text, &size);
    REQUIRE(out != NULL);
    annotate_render(out, &annotation);
    REQUIRE(fclose(out) == 0);
    for (size_t i = 0; i < size; i++) {
        REQUIRE(text[i] == '\n' || ((unsigned char)text[i] >= 0x20 && text[i] != 0x7f));
        printed += text[i] == '\n';
    }
    REQUIRE(printed ==
            2 + (count != 0 ? count : 1) + 2 + 1); /* file, heading; its lines; two more; the total */
    free(text);
}

static void read_source(const char *text, size_t size) {
    char path[64];
    int fd;
    struct source_lines *lines = source_lines_new();
    REQUIRE(lines != NULL);
    open_file(text, size, &fd, path);
    check_lines(lines, path, text, size);
    check_annotated(path, source_lines_count(lines, path));
    source_lines_free(lines);
    close(fd);
}

/* ---- inputs ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const readers[])(const char *, size_t) = {read_stat,   read_maps,    read_name,  read_log,
                                                            read_maxima, read_program, read_source};
    if (size == 0)
        return 0;
    char *text = malloc(size); /* ended by a NUL, which is not of the input */
    REQUIRE(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    readers[data[0] % (sizeof readers / sizeof *readers)](text, size - 1);
    free(text);
    return 0;
}
