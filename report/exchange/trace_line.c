/* trace_line.c - see trace_line.h.
 * Owns:    the frames of a line.
 * Threads: any.  Signals: no.  Heap: yes. */
#include "trace_line.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct parse {
    char *text, *at; /* the line, and what is read next */
    struct error *error;
};

static bool wrong(const struct parse *parse, const char *at, const char *what) {
    return error_set(parse->error, "column %zu: %s", (size_t)(at - parse->text) + 1, what);
}

/* ---- numbers ---- */

/* Reads digits from `at`, as many as there are. Null if there are none or their number is above `limit`. */
static char *read_number(char *at, uint64_t limit, uint64_t *number) {
    size_t digits = strspn(at, "0123456789");
    *number = 0;
    for (size_t i = 0; i < digits; i++) {
        unsigned digit = (unsigned)(at[i] - '0');
        if (*number > (limit - digit) / 10)
            return NULL;
        *number = *number * 10 + digit;
    }
    return digits != 0 ? at + digits : NULL;
}

/* A number and the space behind it. */
static bool take_number(struct parse *parse, uint64_t limit, const char *what, uint64_t *number) {
    char *end = read_number(parse->at, limit, number);
    if (end == NULL || *end != ' ')
        return wrong(parse, parse->at, what);
    parse->at = end + 1;
    return true;
}

/* ---- frames ---- */

static int hex_digit(char byte) {
    static const char digits[] = "0123456789abcdef";
    const char *found = byte != '\0' ? strchr(digits, byte | 0x20) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/* Replaces each \xNN of a string by its byte. Returns where one is wrong, or null. */
static char *unescape(char *text) {
    char *to = text;
    for (char *at = text; *at != '\0'; at++) {
        *to = *at;
        if (*at == '\\') {
            int high = at[1] == 'x' ? hex_digit(at[2]) : -1, low = high >= 0 ? hex_digit(at[3]) : -1;
            if (low < 0 || high + low == 0)
                return at;
            *to = (char)(high << 4 | low);
            at += 3;
        }
        to++;
    }
    *to = '\0';
    return NULL;
}

static struct trace_frame *add_frame(struct trace_line *self) {
    if (self->frame_count == self->frame_room) {
        size_t room = self->frame_room != 0 ? 2 * self->frame_room : 64;
        struct trace_frame *more = realloc(self->frames, room * sizeof *more);
        if (more == NULL)
            return NULL;
        self->frames = more;
        self->frame_room = room;
    }
    return &self->frames[self->frame_count++];
}

/* Parses the frame text[0 ...], which is a string of its own. */
static bool take_frame(struct parse *parse, char *text, struct trace_line *self) {
    char *colon = strrchr(text, ':'), *end;
    uint64_t line = 0;
    if (colon == NULL)
        return wrong(parse, text, "a frame is FILE:LINE");
    end = read_number(colon + 1, UINT32_MAX, &line);
    if (end == NULL || *end != '\0')
        return wrong(parse, colon + 1, "a line is a number up to 4294967295");
    *colon = '\0';
    char *bad = unescape(text);
    if (bad != NULL)
        return wrong(parse, bad, "a backslash begins \\xNN, with NN from 01 to ff");
    struct trace_frame *frame = add_frame(self);
    if (frame == NULL)
        return error_out_of_memory(parse->error);
    *frame = (struct trace_frame){text, (uint32_t)line};
    return true;
}

static bool take_frames(struct parse *parse, struct trace_line *self) {
    for (char *at = parse->at, *next = at; next != NULL; at = next) {
        next = strchr(at, ';');
        if (next != NULL)
            *next++ = '\0';
        if (!take_frame(parse, at, self))
            return false;
    }
    return true;
}

/* ---- lines ---- */

bool trace_line_parse(struct trace_line *self, char *text, struct error *error) {
    struct parse parse = {text, text, error};
    uint64_t domain, total;
    self->frame_count = 0;
    if (!take_number(&parse, UINT32_MAX, "DOMAIN is a number below 2^32, with a space behind it", &domain) ||
        !take_number(&parse, INT64_MAX, "SIZE is a number of bytes, with a space behind it", &self->size))
        return false;
    char *at = parse.at;
    if (!take_number(&parse, UINT16_MAX, "TOTAL_NFRAME is a number up to 65535, with a space behind it",
                     &total) ||
        !take_frames(&parse, self))
        return false;
    if (self->frame_count > total)
        return error_set(error, "column %zu: TOTAL_NFRAME is %" PRIu64 ", but there are %zu frames",
                         (size_t)(at - text) + 1, total, self->frame_count);
    self->domain = (uint32_t)domain;
    self->total_nframe = (uint16_t)total;
    return true;
}

void trace_line_free(struct trace_line *self) {
    free(self->frames);
    memset(self, 0, sizeof *self);
}

bool trace_line_is_empty(const char *text) {
    return text[0] == '\0' || text[0] == '#';
}

void trace_line_put_file(FILE *out, const char *file) {
    for (; *file != '\0'; file++) {
        unsigned char byte = (unsigned char)*file;
        if (byte <= ' ' || byte == 0x7f || strchr(";:\\", byte) != NULL)
            fprintf(out, "\\x%02x", byte);
        else
            fputc(byte, out);
    }
}
