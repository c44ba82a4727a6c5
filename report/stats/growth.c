/* growth.c - see growth.h.
 * Owns:    the names of rows and their maxima.
 * Holds:   a name says all that tells two rows apart, in any process that reads it.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "growth.h"
#include "compare.h"
#include "interner.h"
#include "../source/wrapping.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct growth {
    struct interner *names;
    struct amount *maxima; /* by name */
    size_t room;
};

struct growth *growth_new(void) {
    struct growth *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->names = interner_new();
    if (self->names != NULL)
        return self;
    growth_free(self);
    return NULL;
}

void growth_free(struct growth *self) {
    if (self == NULL)
        return;
    interner_free(self->names);
    free(self->maxima);
    free(self);
}

/* ---- names ---- */

static void put_word(FILE *out, const char *word) {
    fputc(word == NULL ? '-' : '+', out);
    for (; word != NULL && *word != '\0'; word++) {
        unsigned char byte = (unsigned char)*word;
        if (byte <= ' ' || byte == '\\')
            fprintf(out, "\\x%02x", byte);
        else
            fputc(byte, out);
    }
    fputc(' ', out);
}

static void put_frame(FILE *out, const struct frame *frame) {
    put_word(out, frame->file);
    put_word(out, frame->function);
    put_word(out, frame->module);
    put_word(out, frame->build);
    fprintf(out, "%" PRIu32 " %" PRIu64 " %d;", frame->line, frame->offset, frame->has_offset);
}

/* A new string; null when out of memory. */
static char *name_of(const struct statistic *row, const struct frames *frames) {
    char *name = NULL;
    size_t length;
    FILE *out = open_memstream(&name, &length);
    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < row->frame_count; i++)
        put_frame(out, frames_get(frames, row->frames[i]));
    if (fclose(out) == 0)
        return name;
    free(name);
    return NULL;
}

/* ---- maxima ---- */

static struct amount *maximum_of(struct growth *self, const char *name) {
    uint32_t id = interner_put(self->names, name, strlen(name), NULL);
    if (id == INTERNER_NONE)
        return NULL;
    if (id >= self->room) {
        size_t room = 2 * (size_t)id + 64;
        struct amount *more = realloc(self->maxima, room * sizeof *more);
        if (more == NULL)
            return NULL;
        memset(more + self->room, 0, (room - self->room) * sizeof *more);
        self->maxima = more;
        self->room = room;
    }
    return &self->maxima[id];
}

/* Whether a row is above its maximum, which it then becomes. Null maximum: out of memory. */
static bool raise(struct amount *maximum, struct statistic *row) {
    if (row->size <= maximum->size)
        return false;
    row->size_diff = row->size - maximum->size; /* maxima are not below 0 */
    row->count_diff = wrapping_subtract(row->count, maximum->count);
    *maximum = (struct amount){.size = row->size, .count = row->count};
    return true;
}

bool growth_look(struct growth *self, struct statistics *rows, struct frames *frames, struct error *error) {
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        char *name = name_of(&rows->rows[i], frames);
        struct amount *maximum = name != NULL ? maximum_of(self, name) : NULL;
        free(name);
        if (maximum == NULL)
            return error_out_of_memory(error);
        if (raise(maximum, &rows->rows[i]))
            rows->rows[kept++] = rows->rows[i];
    }
    rows->count = kept;
    statistics_sort_differences(rows, frames);
    return true;
}

/* ---- files ---- */

void growth_save(const struct growth *self, FILE *out) {
    for (uint32_t id = 0; id < interner_count(self->names); id++)
        fprintf(out, "%" PRId64 " %" PRId64 " %s\n", self->maxima[id].size, self->maxima[id].count,
                (const char *)interner_get(self->names, id, NULL));
}

/* A number and the space behind it. */
static bool take_number(const char **at, int64_t *number) {
    char *end;
    errno = 0;
    *number = strtoll(*at, &end, 10);
    if (end == *at || errno != 0 || *end != ' ')
        return false;
    *at = end + 1;
    return true;
}

static bool load_line(struct growth *self, char *line, size_t length, const char *name, struct error *error) {
    struct amount amount = {0};
    const char *at = line;
    bool text = strlen(line) == length;
    line[strcspn(line, "\n")] = '\0';
    if (!text || !take_number(&at, &amount.size) || amount.size < 0 || !take_number(&at, &amount.count))
        return error_set(error, "%s: '%s' is no maximum: the file is damaged; remove it to begin anew", name,
                         line);
    struct amount *maximum = maximum_of(self, at);
    if (maximum == NULL)
        return error_out_of_memory(error);
    *maximum = amount;
    return true;
}

bool growth_load(struct growth *self, FILE *in, const char *name, struct error *error) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    bool good = true;
    while (good && (length = getline(&line, &room, in)) >= 0)
        good = load_line(self, line, (size_t)length, name, error);
    if (good && !feof(in)) /* a failed read, or a line for which there is no memory */
        good = error_set(error, "%s: %s", name, strerror(errno));
    free(line);
    return good;
}
