/* fuzz_filters.c - suppression files, blame files and filter options -> what they leave of a small heap.
 *
 * An input has sections, each ended by a line %%: a suppression file, the user's blame file, a project's,
 * filter options (`NAME VALUE` a line), and the names that the heap's frames get (`FUNCTION TAB FILE` a
 * line).
 *
 * What is left and what is suppressed add up to what there was, whatever the key; an --include and the same
 * --exclude part the heap between them; suppressions cover the stacks that a matcher of six lines says they
 * do; and a file is read as its lines are, one by one.
 *
 * Threads: one.  Heap: yes. */
#define _GNU_SOURCE
#include "commands/blame_files.h"
#include "commands/filter_options.h"
#include "fake_symbols.h"
#include "make_snapshot.h"
#include "source/model.h"
#include "stats/statistics.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

enum section { SUPPRESSIONS, BLAME_USER, BLAME_PROJECT, OPTIONS, NAMES, SECTIONS };

#define PCS       6
#define BASE      0x400000u
#define DOMAIN    389047u
#define MATCH_MAX 512 /* longer names and templates are left to the tables' sums */

struct part {
    const char *at;
    size_t size;
};

/* The next line of a part, without its newline. */
static bool next_line(struct part *rest, struct part *line) {
    if (rest->size == 0)
        return false;
    const char *newline = memchr(rest->at, '\n', rest->size);
    size_t length = newline != NULL ? (size_t)(newline - rest->at) : rest->size;
    *line = (struct part){rest->at, length};
    rest->at += length + (newline != NULL);
    rest->size -= length + (newline != NULL);
    return true;
}

static void cut(const char *text, size_t size, struct part *sections) {
    struct part rest = {text, size}, line;
    for (int i = 0; i < SECTIONS; i++) {
        sections[i] = (struct part){rest.at, rest.size};
        while (next_line(&rest, &line))
            if (line.size == 2 && memcmp(line.at, "%%", 2) == 0) {
                sections[i].size = (size_t)(line.at - sections[i].at);
                break;
            }
    }
}

static char *copy_of(struct part part) {
    char *copy = malloc(part.size + 1);
    REQUIRE(copy != NULL);
    if (part.size != 0)
        memcpy(copy, part.at, part.size);
    copy[part.size] = '\0';
    return copy;
}

/* ---- the heap ---- */

static struct tables *tables;

/* Stacks of one to four frames, one without any, and those of the two reasons; blocks and bytes all differ.
 */
static void make_heap(void) {
    uint32_t pcs[PCS], base;
    tables = make_tables();
    uint32_t program = make_module(tables, "/usr/bin/made", BASE);
    uint32_t library = make_module(tables, "/lib/libmade.so", 2 * BASE);
    for (uint32_t i = 0; i < PCS; i++)
        pcs[i] = make_pc(tables, (i % 2 == 0 ? BASE : 2 * BASE) + i + 1, i % 2 == 0 ? program : library);
    base = make_stack(tables, 0, 0, pcs, 3);
    make_cell(tables, base, 10, 100, 4);
    make_cell(tables, make_stack(tables, base, 2, pcs + 3, 2), 7, 1000, 0);
    make_cell(tables, make_stack(tables, base, 1, pcs + 5, 1), 3, 7, 1);
    make_cell(tables, make_stack(tables, 0, 0, pcs + 4, 1), 1, 1, 0);
    made_stack(tables, base)->context = (uint16_t)make_context(tables, DOMAIN);
    made_stack(tables, base + 1)->context = (uint16_t)make_scope(tables, "load/parse", "red");
    made_stack(tables, base + 2)->context = (uint16_t)make_scope(tables, "load", "");
    made_stack(tables, base + 3)->context = (uint16_t)make_scope(tables, "", "blue/red");
    make_cell(tables, make_stack(tables, 0, 0, pcs, 0), 5, 50, 0);
    make_cell(tables, HT_STACK_OVERFLOW, 2, 30, 1);
    make_cell(tables, HT_STACK_UNATTRIBUTED, 2, 3, 0);
}

struct heap {
    char *names[PCS + 1]; /* what frames point into */
    struct symbols_frame symbols[PCS + 1];
    struct symbols *symboliser;
    struct frames *frames;
    struct model *model;
    struct traces *traces;
};

static void name_frame(struct heap *self, size_t i, struct part line) {
    char *name = self->names[i] = copy_of(line), *file = strchr(name, '\t');
    if (file != NULL)
        *file++ = '\0';
    self->symbols[i] = (struct symbols_frame){.function = name[0] != '\0' ? name : NULL,
                                              .file = file != NULL && *file != '\0' ? file : NULL,
                                              .line = file != NULL ? (uint32_t)i : 0};
}

/* Names PCs in their order; the last two names are of one PC, the first of them inlined. */
static void begin_heap(struct heap *self, struct part names) {
    struct part line;
    size_t count = 0;
    struct error error;
    memset(self, 0, sizeof *self);
    fake_symbols_forget();
    while (count < PCS + 1 && next_line(&names, &line))
        name_frame(self, count++, line);
    for (size_t i = 0; i < count && i < PCS; i++)
        fake_symbols_add(i, &self->symbols[i], i + 1 == PCS && count > PCS ? 2 : 1);
    self->symboliser = symbols_new(NULL);
    self->frames = frames_new();
    self->model = model_new_rows(tables, MODEL_BY_THREAD, &error);
    REQUIRE(self->symboliser != NULL && self->frames != NULL && self->model != NULL);
    self->traces = traces_new(self->model, self->symboliser, self->frames, &error);
    REQUIRE(self->traces != NULL);
}

static void end_heap(struct heap *self) {
    traces_free(self->traces);
    model_free(self->model);
    frames_free(self->frames);
    symbols_free(self->symboliser);
    for (size_t i = 0; i < PCS + 1; i++)
        free(self->names[i]);
}

/* ---- suppressions ---- */

static bool has_nul(struct part part) {
    return part.size != 0 && memchr(part.at, '\0', part.size) != NULL;
}

/* As the header says: * is anything, all else itself. Cells of a row: whether the template up to there has
 * taken the name so far. */
static bool takes(const char *template, size_t length, const char *name) {
    bool row[MATCH_MAX + 3] = {true};
    for (size_t i = 0; i < length; i++)
        row[i + 1] = row[i] && template[i] == '*';
    for (; *name != '\0'; name++) {
        bool before = row[0];
        row[0] = false;
        for (size_t i = 0; i < length; i++) {
            bool was = row[i + 1];
            row[i + 1] = template[i] == '*' ? row[i] || was : before && template[i] == *name;
            before = was;
        }
    }
    return row[length];
}

static bool is_short_ascii(const char *text, size_t length) {
    if (length > MATCH_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

/* Whether a template covers a name; -1: not for the small matcher to say. */
static int covers_name(struct part template, const char *name) {
    char whole[MATCH_MAX + 2];
    size_t length = 0;
    if (name == NULL || name[0] == '\0')
        return 0;
    if (!is_short_ascii(template.at, template.size) || !is_short_ascii(name, strlen(name)))
        return -1;
    bool start = template.at[0] == '^', end = template.size > start && template.at[template.size - 1] == '$';
    if (!start)
        whole[length++] = '*';
    memcpy(whole + length, template.at + start, template.size - start - end);
    length += template.size - start - end;
    if (!end)
        whole[length++] = '*';
    return takes(whole, length, name);
}

/* What is behind leak: in a line of a good file; false for a line that says nothing. */
static bool template_of(struct part line, struct part *template) {
    while (line.size != 0 && strchr(" \t", line.at[0]) != NULL)
        line = (struct part){line.at + 1, line.size - 1};
    while (line.size != 0 && strchr(" \t\r", line.at[line.size - 1]) != NULL)
        line.size--;
    if (line.size == 0 || line.at[0] == '#')
        return false;
    REQUIRE(line.size > 5 && memcmp(line.at, "leak:", 5) == 0);
    *template = (struct part){line.at + 5, line.size - 5};
    return true;
}

static int covers_frame(struct part file, const struct frame *frame) {
    struct part line, template;
    int covered = 0;
    while (next_line(&file, &line)) {
        if (!template_of(line, &template))
            continue;
        int by[] = {covers_name(template, frame->function), covers_name(template, frame->file),
                    covers_name(template, frame->module)};
        for (int i = 0; i < 3; i++)
            if (by[i] != 0 && covered != 1)
                covered = by[i];
    }
    return covered;
}

static void check_covered(struct heap *heap, struct suppressions *suppressions, struct part file) {
    for (size_t i = 0; i < traces_count(heap->traces); i++) {
        const frame_id *ids;
        size_t count;
        size_t by;
        int expected = 0;
        REQUIRE(suppressions_cover(suppressions, heap->traces, i, &by));
        REQUIRE(traces_frames(heap->traces, i, &ids, &count));
        for (size_t j = 0; j < count && expected != 1; j++) {
            int matched = covers_frame(file, frames_get(heap->frames, ids[j]));
            expected = matched != 0 ? matched : expected;
        }
        REQUIRE(expected < 0 || (by != SUPPRESSIONS_NONE) == (expected == 1));
    }
}

/* Line by line; false at the first that is refused. */
static bool add_lines(struct suppressions *suppressions, struct part file) {
    struct part line;
    struct error error;
    bool good = !has_nul(file);
    while (good && next_line(&file, &line)) {
        char *copy = copy_of(line);
        good = suppressions_add_line(suppressions, copy, "a fuzzed file", &error);
        free(copy);
    }
    return good;
}

/* Null where the file is refused. */
static struct suppressions *read_suppressions(struct part file) {
    char path[64];
    struct error error = {""};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    REQUIRE(fd >= 0 && write(fd, file.at, file.size) == (ssize_t)file.size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct suppressions *read = suppressions_new(), *lines = suppressions_new();
    REQUIRE(read != NULL && lines != NULL);
    bool good = suppressions_read(read, path, &error);
    close(fd);
    REQUIRE(good == add_lines(lines, file));
    REQUIRE(!good || suppressions_count(read) == suppressions_count(lines));
    suppressions_free(lines);
    if (good)
        return read;
    REQUIRE(strstr(error.text, ": line ") != NULL);
    suppressions_free(read);
    return NULL;
}

/* ---- blame files ---- */

static char directory[256];
static pid_t owner;
static int start_fd,
    project_fd; /* libFuzzer's directory, by which it names its corpus, and the blame file's */

static void remove_directory(void) {
    char path[512];
    static const char *const names[] = {"config/heaptally/blame",   "config/heaptally", "config",
                                        "project/.heaptally-blame", "project",          ""};
    for (size_t i = 0; getpid() == owner && i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        remove(path);
    }
}

static void make_directory(void) {
    const char *base = getenv("TMPDIR");
    char path[512];
    snprintf(directory, sizeof directory, "%s/heaptally-fuzz-XXXXXX", base != NULL ? base : "/tmp");
    start_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(start_fd >= 0 && mkdtemp(directory) != NULL && chdir(directory) == 0);
    owner = getpid();
    atexit(remove_directory);
    REQUIRE(mkdir("config", 0700) == 0 && mkdir("config/heaptally", 0700) == 0 &&
            mkdir("project", 0700) == 0);
    snprintf(path, sizeof path, "%s/config", directory);
    REQUIRE(setenv("XDG_CONFIG_HOME", path, 1) == 0);
    project_fd = open("project", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(project_fd >= 0 && fchdir(start_fd) == 0);
}

/* Most inputs change another section. */
static void store(const char *path, struct part part, struct part *stored) {
    if (stored->at != NULL && stored->size == part.size && memcmp(stored->at, part.at, part.size) == 0)
        return;
    FILE *out = fopen(path, "we");
    REQUIRE(out != NULL && fwrite(part.at, 1, part.size, out) == part.size && fclose(out) == 0);
    free((void *)(uintptr_t)stored->at);
    *stored = (struct part){copy_of(part), part.size};
}

static size_t count_patterns(struct part file, bool kept) {
    struct part line;
    size_t count = 0;
    while (next_line(&file, &line)) {
        while (line.size != 0 && strchr(" \t\r", line.at[line.size - 1]) != NULL)
            line.size--;
        bool says = line.size != 0 && line.at[0] != '#' && !(line.size == 1 && line.at[0] == '!');
        count += says && (line.at[0] == '!') == kept;
    }
    return count;
}

/* False where a file is refused. */
static bool read_blame(const struct part *sections, struct blame_files *files) {
    static struct part stored[SECTIONS];
    struct error error = {""};
    struct part user = sections[BLAME_USER], project = sections[BLAME_PROJECT];
    REQUIRE(fchdir(project_fd) == 0);
    store("../config/heaptally/blame", user, &stored[BLAME_USER]);
    store(".heaptally-blame", project, &stored[BLAME_PROJECT]);
    bool good = blame_files_read(files, &error);
    REQUIRE(fchdir(start_fd) == 0);
    REQUIRE(good == (!has_nul(user) && !has_nul(project)));
    REQUIRE(good || strstr(error.text, ": line ") != NULL);
    if (good) {
        REQUIRE(files->skip.count == count_patterns(user, false) + count_patterns(project, false));
        REQUIRE(files->keep.count == count_patterns(user, true) + count_patterns(project, true));
    }
    return good;
}

/* What is kept is never passed over; with everything kept, nothing is. */
static void check_kept(const struct blame *blame, struct frames *frames) {
    static const char *const everything[] = {"*"};
    struct blame keep = *blame;
    keep.kept = everything;
    keep.kept_count = 1;
    struct blame_judge *judge = blame_judge_new(&keep);
    REQUIRE(judge != NULL);
    for (frame_id id = 0; id < frames_count(frames); id++)
        REQUIRE(!blame_skips(judge, frames_get(frames, id)));
    blame_judge_free(judge);
}

/* ---- options ---- */

struct wanted {
    struct filter_options options;
    char **lines;
    size_t count;
};

static struct option_list *list_of(struct filter_options *options, const char *name) {
    const struct {
        const char *name;
        struct option_list *list;
    } lists[] = {{"include", &options->include}, {"exclude", &options->exclude},
                 {"domain", &options->domain},   {"exclude-domain", &options->exclude_domain},
                 {"scope", &options->scope},     {"exclude-scope", &options->exclude_scope},
                 {"tag", &options->tag},         {"exclude-tag", &options->exclude_tag},
                 {"thread", &options->thread},   {"function", &options->function},
                 {"module", &options->module}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcmp(name, lists[i].name) == 0)
            return lists[i].list;
    return NULL;
}

static void want(struct wanted *self, struct part line) {
    char *name = self->lines[self->count++] = copy_of(line), *value = strchr(name, ' ');
    if (value != NULL)
        *value++ = '\0';
    struct option_list *list = list_of(&self->options, name);
    if (list != NULL && value != NULL) {
        list->items = realloc(list->items, (list->count + 1) * sizeof *list->items);
        REQUIRE(list->items != NULL);
        list->items[list->count++] = value;
    }
    if (strcmp(name, "all-frames") == 0)
        self->options.all_frames = true;
    if (strcmp(name, "min-size") == 0 && value != NULL)
        options_bytes(value, &self->options.min_size);
}

static void begin_wanted(struct wanted *self, struct part text) {
    struct part line;
    memset(self, 0, sizeof *self);
    self->lines = calloc(text.size + 1, sizeof *self->lines);
    REQUIRE(self->lines != NULL);
    while (next_line(&text, &line))
        want(self, line);
}

static void end_wanted(struct wanted *self) {
    for (size_t i = 0; i < self->count; i++)
        free(self->lines[i]);
    free(self->lines);
    filter_options_free(&self->options);
}

/* ---- tables ---- */

static struct statistics table(struct heap *heap, const struct query *query) {
    struct statistics result;
    struct error error;
    REQUIRE(statistics_of(heap->traces, query, &result, &error));
    int64_t size = 0, count = 0;
    for (size_t i = 0; i < result.count; i++) {
        size += result.rows[i].size;
        count += result.rows[i].count;
    }
    REQUIRE(query->cumulative ? size >= result.size_total : size == result.size_total);
    REQUIRE(query->cumulative ? count >= result.count_total : count == result.count_total);
    return result;
}

/* The query of another key: other rows, the same sums. */
static void check_key(struct heap *heap, struct query query, enum key key, bool cumulative,
                      const struct statistics *expected) {
    query.keys[0] = key;
    query.cumulative = cumulative;
    struct statistics found = table(heap, &query);
    REQUIRE(found.size_total == expected->size_total && found.count_total == expected->count_total);
    REQUIRE(found.suppressed.size == expected->suppressed.size &&
            found.suppressed.count == expected->suppressed.count);
    statistics_free(&found);
}

static void check_suppressed(struct heap *heap, struct query query, const struct statistics *expected) {
    query.suppressions = NULL;
    struct statistics all = table(heap, &query);
    REQUIRE(all.size_total == expected->size_total + expected->suppressed.size);
    REQUIRE(all.count_total == expected->count_total + expected->suppressed.count);
    statistics_free(&all);
}

/* What one filter takes and what the same exclusive one leaves is everything. */
static void check_parting(struct heap *heap, struct query query, const struct filter_options *include,
                          const struct filter_options *exclude) {
    struct filters with, without;
    struct error error = {""};
    query.suppressions = NULL;
    if (!filter_options_make(include, "fuzz", false, &with, &error))
        return;
    REQUIRE(filter_options_make(exclude, "fuzz", false, &without, &error));
    query.filters = (struct filters){0};
    struct statistics all = table(heap, &query);
    query.filters = with;
    struct statistics taken = table(heap, &query);
    query.filters = without;
    struct statistics left = table(heap, &query);
    REQUIRE(all.size_total == taken.size_total + left.size_total);
    REQUIRE(all.count_total == taken.count_total + left.count_total);
    statistics_free(&all);
    statistics_free(&taken);
    statistics_free(&left);
    filters_free(&with);
    filters_free(&without);
}

/* Of the first of each list. */
static void check_partings(struct heap *heap, const struct query *query, const struct filter_options *asked) {
    bool all = asked->all_frames;
    struct option_list include = {asked->include.items, 1}, scope = {asked->scope.items, 1},
                       tag = {asked->tag.items, 1};
    if (asked->include.count != 0)
        check_parting(heap, *query, &(struct filter_options){.include = include, .all_frames = all},
                      &(struct filter_options){.exclude = include, .all_frames = all});
    if (asked->scope.count != 0)
        check_parting(heap, *query, &(struct filter_options){.scope = scope},
                      &(struct filter_options){.exclude_scope = scope});
    if (asked->tag.count != 0)
        check_parting(heap, *query, &(struct filter_options){.tag = tag},
                      &(struct filter_options){.exclude_tag = tag});
}

static void check_tables(struct heap *heap, const struct wanted *wanted, struct suppressions *suppressions,
                         const struct blame *blame) {
    struct query query = {
        .keys = {KEY_LINENO, KEY_END}, .metric = METRIC_LIVE, .blame = *blame, .suppressions = suppressions};
    struct error error = {""};
    check_partings(heap, &query, &wanted->options);
    if (!filter_options_make(&wanted->options, "fuzz", false, &query.filters, &error)) {
        REQUIRE(strncmp(error.text, "fuzz: --", 8) == 0);
        return;
    }
    struct statistics expected = table(heap, &query);
    check_key(heap, query, KEY_FUNCTION, false, &expected);
    check_key(heap, query, KEY_MODULE, false, &expected);
    check_key(heap, query, KEY_TRACEBACK, false, &expected);
    check_key(heap, query, KEY_SCOPE, false, &expected);
    check_key(heap, query, KEY_TAG, true, &expected);
    check_key(heap, query, KEY_FILENAME, true, &expected);
    check_suppressed(heap, query, &expected);
    statistics_free(&expected);
    filters_free(&query.filters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct part sections[SECTIONS];
    struct heap heap;
    struct wanted wanted;
    struct blame_files files;
    if (tables == NULL) {
        make_heap();
        make_directory();
    }
    cut((const char *)data, size, sections);
    begin_heap(&heap, sections[NAMES]);
    begin_wanted(&wanted, sections[OPTIONS]);
    struct suppressions *suppressions = read_suppressions(sections[SUPPRESSIONS]);
    if (suppressions != NULL)
        check_covered(&heap, suppressions, sections[SUPPRESSIONS]);
    bool good = read_blame(sections, &files);
    struct blame blame = blame_files_blame(&files);
    if (good) {
        check_tables(&heap, &wanted, suppressions, &blame);
        check_kept(&blame, heap.frames);
    }
    blame_files_free(&files);
    suppressions_free(suppressions);
    end_wanted(&wanted);
    end_heap(&heap);
    return 0;
}
