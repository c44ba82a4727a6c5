/* suppressions.c - see suppressions.h. A template becomes a pattern of wildcard.h, which takes whole names.
 * Owns:    the patterns, and a verdict for each frame that was looked at.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "suppressions.h"
#include "wildcard.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum verdict { UNKNOWN, COVERED, FREE };

struct suppressions {
    struct wildcard **patterns;
    size_t count;
    uint8_t *verdicts; /* enum verdict, by frame id */
    size_t verdict_room;
};

struct suppressions *suppressions_new(void) {
    return calloc(1, sizeof(struct suppressions));
}

void suppressions_free(struct suppressions *self) {
    if (self == NULL)
        return;
    for (size_t i = 0; i < self->count; i++)
        wildcard_free(self->patterns[i]);
    free(self->patterns);
    free(self->verdicts);
    free(self);
}

size_t suppressions_count(const struct suppressions *self) {
    return self->count;
}

/* ---- reading ---- */

/* Writes the pattern of a template; `pattern` has room for 3 bytes a character and 2 more. */
static size_t make_pattern(const char *template, size_t length, char *pattern) {
    bool start = length > 0 && template[0] == '^', end = length > start && template[length - 1] == '$';
    size_t to = 0;
    if (!start)
        pattern[to++] = '*';
    for (size_t i = start; i < length - end; i++) {
        bool special = template[i] == '?' || template[i] == '[';
        if (special)
            pattern[to++] = '[';
        pattern[to++] = template[i];
        if (special)
            pattern[to++] = ']';
    }
    if (!end)
        pattern[to++] = '*';
    return to;
}

static bool add(struct suppressions *self, const char *template, size_t length) {
    char *pattern = malloc(3 * length + 2);
    struct wildcard **more = realloc(self->patterns, (self->count + 1) * sizeof *more);
    if (more != NULL)
        self->patterns = more;
    struct wildcard *made = NULL;
    if (pattern != NULL && more != NULL)
        made = wildcard_new(pattern, make_pattern(template, length, pattern));
    if (made != NULL)
        self->patterns[self->count++] = made;
    free(pattern);
    return made != NULL;
}

/* Nothing but the ends of a name. */
static bool is_blank(const char *template, size_t length) {
    return length == 0 || (length == 1 && strchr("^$", template[0]) != NULL) ||
           (length == 2 && memcmp(template, "^$", 2) == 0);
}

bool suppressions_add_line(struct suppressions *self, const char *line, struct error *error) {
    static const char kind[] = "leak:";
    line += strspn(line, " \t");
    size_t length = strlen(line);
    while (length > 0 && strchr(" \t\r", line[length - 1]) != NULL)
        length--;
    if (length == 0 || line[0] == '#')
        return true;
    if (strncmp(line, kind, sizeof kind - 1) != 0)
        return error_set(error, "'%.*s': a suppression is leak:TEMPLATE", (int)length, line);
    line += sizeof kind - 1;
    length -= sizeof kind - 1;
    if (is_blank(line, length))
        return error_set(error,
                         "leak:%.*s without a template would suppress everything; write leak:* for that",
                         (int)length, line);
    return add(self, line, length) || error_out_of_memory(error);
}

static bool take_line(struct suppressions *self, char *line, size_t length, const char *path, uint64_t number,
                      struct error *error) {
    struct error why = {""};
    if (strlen(line) != length)
        return error_set(error, "%s: line %" PRIu64 ": a NUL byte: this is no text", path, number);
    line[strcspn(line, "\n")] = '\0';
    return suppressions_add_line(self, line, &why) ||
           error_set(error, "%s: line %" PRIu64 ": %s", path, number, why.text);
}

static bool read_lines(struct suppressions *self, FILE *in, const char *path, struct error *error) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    bool good = true;
    for (uint64_t number = 1; good && (length = getline(&line, &room, in)) >= 0; number++)
        good = take_line(self, line, (size_t)length, path, number, error);
    if (good && !feof(in)) /* a failed read, or a line for which there is no memory */
        good = error_set(error, "%s: %s", path, strerror(errno));
    free(line);
    return good;
}

bool suppressions_read(struct suppressions *self, const char *path, struct error *error) {
    FILE *in = fopen(path, "re");
    if (in == NULL)
        return error_set(error, "%s: %s", path, strerror(errno));
    bool done = read_lines(self, in, path, error);
    fclose(in);
    return done;
}

/* ---- asking ---- */

static bool matches_any(const struct suppressions *self, const char *name) {
    for (size_t i = 0; name != NULL && name[0] != '\0' && i < self->count; i++)
        if (wildcard_matches(self->patterns[i], name, strlen(name)))
            return true;
    return false;
}

static bool covers(const struct suppressions *self, const struct frame *frame) {
    return matches_any(self, frame->function) || matches_any(self, frame->file) ||
           matches_any(self, frame->module);
}

static bool room_for_verdict(struct suppressions *self, const struct frames *frames, frame_id id) {
    if (id < self->verdict_room)
        return true;
    size_t room = 2 * (size_t)frames_count(frames) + 1024;
    uint8_t *more = realloc(self->verdicts, room);
    if (more == NULL)
        return false;
    memset(more + self->verdict_room, UNKNOWN, room - self->verdict_room);
    self->verdicts = more;
    self->verdict_room = room;
    return true;
}

bool suppressions_cover(struct suppressions *self, struct traces *traces, size_t trace, bool *covered) {
    const struct frames *frames = traces_frame_table(traces);
    const frame_id *ids;
    size_t count;
    *covered = false;
    if (self->count == 0)
        return true;
    if (!traces_frames(traces, trace, &ids, &count))
        return false;
    for (size_t i = 0; i < count && !*covered; i++) {
        if (!room_for_verdict(self, frames, ids[i]))
            return false;
        if (self->verdicts[ids[i]] == UNKNOWN)
            self->verdicts[ids[i]] = covers(self, frames_get(frames, ids[i])) ? COVERED : FREE;
        *covered = self->verdicts[ids[i]] == COVERED;
    }
    return true;
}
