/* json.c - see json.h.
 * Owns:    nothing.
 * Threads: any, one per stream.  Signals: no.  Heap: no (but stdio's). */
#include "json.h"
#include "harmless.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void put_quoted(FILE *out, const char *text) {
    size_t length = strlen(text);
    fputc('"', out);
    for (size_t at = 0; at < length;) {
        unsigned char byte = (unsigned char)text[at];
        size_t bytes = harmless_character(text + at, length - at);
        if (byte == '"' || byte == '\\') {
            fprintf(out, "\\%c", byte);
        } else if (bytes != 0) {
            fwrite(text + at, 1, bytes, out);
        } else {
            fprintf(out, "\\u%04x", byte < 0x80 ? (unsigned)byte : 0xfffdu);
        }
        at += bytes != 0 ? bytes : 1;
    }
    fputc('"', out);
}

static void begin(struct json *self, const char *name) {
    if (self->filled)
        fputc(',', self->out);
    if (self->depth != 0)
        fprintf(self->out, "\n%*s", (int)self->depth, "");
    if (name != NULL) {
        put_quoted(self->out, name);
        fputs(": ", self->out);
    }
    self->filled = true;
}

void json_open(struct json *self, const char *name, char bracket) {
    begin(self, name);
    fputc(bracket, self->out);
    self->depth++;
    self->filled = false;
}

void json_close(struct json *self, char bracket) {
    self->depth--;
    if (self->filled)
        fprintf(self->out, "\n%*s", (int)self->depth, "");
    fputc(bracket, self->out);
    if (self->depth == 0)
        fputc('\n', self->out);
    self->filled = true;
}

void json_put_string(struct json *self, const char *name, const char *value) {
    begin(self, name);
    if (value != NULL)
        put_quoted(self->out, value);
    else
        fputs("null", self->out);
}

void json_put_signed(struct json *self, const char *name, int64_t value) {
    begin(self, name);
    fprintf(self->out, "%" PRId64, value);
}

void json_put_unsigned(struct json *self, const char *name, uint64_t value) {
    begin(self, name);
    fprintf(self->out, "%" PRIu64, value);
}

void json_put_real(struct json *self, const char *name, double value) {
    char text[40];
    /* the shortest form that reads back as the same number */
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    begin(self, name);
    fputs(text, self->out);
}

void json_put_bool(struct json *self, const char *name, bool value) {
    begin(self, name);
    fputs(value ? "true" : "false", self->out);
}

void json_put_null(struct json *self, const char *name) {
    begin(self, name);
    fputs("null", self->out);
}
