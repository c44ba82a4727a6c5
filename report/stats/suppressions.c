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

enum { UNKNOWN, FREE, COVERED }; /* a verdict; the last by suppression number 0, and so on */

struct rule {
    struct wildcard *pattern;
    char *line, *origin;
};

struct suppressions {
    struct rule *rules;
    size_t count;
    uint32_t *verdicts; /* by frame id */
    size_t verdict_room;
};

struct suppressions *suppressions_new(void) {
    return calloc(1, sizeof(struct suppressions));
}

static void forget(struct rule *rule) {
    wildcard_free(rule->pattern);
    free(rule->line);
    free(rule->origin);
}

void suppressions_free(struct suppressions *self) {
    if (self == NULL)
        return;
    for (size_t i = 0; i < self->count; i++)
        forget(&self->rules[i]);
    free(self->rules);
    free(self->verdicts);
    free(self);
}

size_t suppressions_count(const struct suppressions *self) {
    return self->count;
}

struct suppression suppressions_at(const struct suppressions *self, size_t index) {
    return (struct suppression){self->rules[index].line, self->rules[index].origin};
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

static bool is_there(const struct suppressions *self, const char *line, size_t length, const char *origin) {
    for (size_t i = 0; i < self->count; i++) {
        const struct rule *rule = &self->rules[i];
        if (strlen(rule->line) == length && memcmp(rule->line, line, length) == 0 &&
            strcmp(rule->origin, origin) == 0)
            return true;
    }
    return false;
}

/* Nothing but the ends of a name. */
static bool is_blank(const char *template, size_t length) {
    return length == 0 || (length == 1 && strchr("^$", template[0]) != NULL) ||
           (length == 2 && memcmp(template, "^$", 2) == 0);
}

#define KIND "leak:"

static struct wildcard *compile(const char *template, size_t length) {
    char *pattern = malloc(3 * length + 2);
    struct wildcard *made =
        pattern != NULL ? wildcard_new(pattern, make_pattern(template, length, pattern)) : NULL;
    free(pattern);
    return made;
}

/* What frames were judged before does not count any more. */
static bool add(struct suppressions *self, const char *line, size_t length, const char *origin) {
    struct rule *more = realloc(self->rules, (self->count + 1) * sizeof *more);
    if (more == NULL)
        return false;
    self->rules = more;
    struct rule rule = {compile(line + strlen(KIND), length - strlen(KIND)), strndup(line, length),
                        strdup(origin)};
    if (rule.pattern == NULL || rule.line == NULL || rule.origin == NULL) {
        forget(&rule);
        return false;
    }
    more[self->count++] = rule;
    if (self->verdicts != NULL)
        memset(self->verdicts, 0, self->verdict_room * sizeof *self->verdicts);
    return true;
}

bool suppressions_add_line(struct suppressions *self, const char *line, const char *origin,
                           struct error *error) {
    line += strspn(line, " \t");
    size_t length = strlen(line);
    while (length > 0 && strchr(" \t\r", line[length - 1]) != NULL)
        length--;
    if (length == 0 || line[0] == '#' || is_there(self, line, length, origin))
        return true;
    if (strncmp(line, KIND, strlen(KIND)) != 0)
        return error_set(error, "'%.*s': a suppression is leak:TEMPLATE", (int)length, line);
    if (is_blank(line + strlen(KIND), length - strlen(KIND)))
        return error_set(error, "%.*s without a template would suppress everything; write leak:* for that",
                         (int)length, line);
    return add(self, line, length, origin) || error_out_of_memory(error);
}

static bool take_line(struct suppressions *self, char *line, size_t length, const char *path, uint64_t number,
                      struct error *error) {
    struct error why = {""};
    if (strlen(line) != length)
        return error_set(error, "%s: line %" PRIu64 ": a NUL byte: this is no text", path, number);
    line[strcspn(line, "\n")] = '\0';
    return suppressions_add_line(self, line, path, &why) ||
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

static bool matches(const struct rule *rule, const char *name) {
    return name != NULL && name[0] != '\0' && wildcard_matches(rule->pattern, name, strlen(name));
}

static uint32_t judge(const struct suppressions *self, const struct frame *frame) {
    for (size_t i = 0; i < self->count; i++) {
        const struct rule *rule = &self->rules[i];
        if (matches(rule, frame->function) || matches(rule, frame->file) || matches(rule, frame->module))
            return (uint32_t)(COVERED + i);
    }
    return FREE;
}

static bool room_for_verdict(struct suppressions *self, const struct frames *frames, frame_id id) {
    if (id < self->verdict_room)
        return true;
    size_t room = 2 * (size_t)frames_count(frames) + 1024;
    uint32_t *more = realloc(self->verdicts, room * sizeof *more);
    if (more == NULL)
        return false;
    memset(more + self->verdict_room, 0, (room - self->verdict_room) * sizeof *more);
    self->verdicts = more;
    self->verdict_room = room;
    return true;
}

bool suppressions_cover(struct suppressions *self, struct traces *traces, size_t trace, size_t *by) {
    const struct frames *frames = traces_frame_table(traces);
    const frame_id *ids;
    size_t count;
    *by = SUPPRESSIONS_NONE;
    if (self->count == 0)
        return true;
    if (!traces_frames(traces, trace, &ids, &count))
        return false;
    for (size_t i = 0; i < count && *by == SUPPRESSIONS_NONE; i++) {
        if (!room_for_verdict(self, frames, ids[i]))
            return false;
        uint32_t *verdict = &self->verdicts[ids[i]];
        if (*verdict == UNKNOWN)
            *verdict = judge(self, frames_get(frames, ids[i]));
        if (*verdict >= COVERED)
            *by = *verdict - COVERED;
    }
    return true;
}
