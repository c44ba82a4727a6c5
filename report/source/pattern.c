/* pattern.c - see pattern.h.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: no. */
#include "pattern.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool pattern_check(const char *pattern, struct error *error) {
    size_t length = strlen(pattern);
    if (length == 0 || length > 1023 || pattern[length - 1] == '/' || strchr(pattern, '\n') != NULL)
        return error_set(
            error, "'%s' cannot name a file: it needs 1 to 1023 bytes on one line and a name at its end",
            pattern);
    for (const char *at = pattern; (at = strchr(at, '%')) != NULL; at += 2)
        if (at[1] == '\0' || strchr("epnl%", at[1]) == NULL)
            return error_set(error,
                             "'%s': %% stands only before e (program), p (pid), n (number), l (label) or %%",
                             pattern);
    return true;
}

bool pattern_has_number(const char *pattern) {
    for (const char *at = pattern; (at = strchr(at, '%')) != NULL && at[1] != '\0'; at += 2)
        if (at[1] == 'n')
            return true;
    return false;
}

struct writer {
    char *path;
    size_t room, used;
};

static void put(struct writer *writer, char byte) {
    if (writer->used < writer->room)
        writer->path[writer->used] = byte;
    writer->used++;
}

/* A value must stay one part of a path. */
static void put_part(struct writer *writer, const char *value) {
    for (; *value != '\0'; value++)
        put(writer, *value == '/' || (unsigned char)*value < ' ' || *value == 0x7f ? '_' : *value);
}

static void put_number(struct writer *writer, uint32_t value) {
    char digits[16];
    snprintf(digits, sizeof digits, "%" PRIu32, value);
    put_part(writer, digits);
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static void put_value(struct writer *writer, char letter, const struct pattern_values *values) {
    switch (letter) {
    case 'e': put_part(writer, last_part(values->program)); break;
    case 'p': put_number(writer, values->pid); break;
    case 'n': put_number(writer, values->number); break;
    case 'l': put_part(writer, values->label != NULL ? values->label : ""); break;
    default: put(writer, letter); break;
    }
}

bool pattern_expand(const char *pattern, const struct pattern_values *values, char *path, size_t path_bytes) {
    struct writer writer = {path, path_bytes, 0};
    for (const char *at = pattern; *at != '\0'; at++)
        if (*at == '%' && at[1] != '\0')
            put_value(&writer, *++at, values);
        else
            put(&writer, *at);
    put(&writer, '\0');
    return writer.used <= path_bytes;
}
