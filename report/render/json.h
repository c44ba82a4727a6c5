/* json.h - writes JSON, value by value, to a stream.
 *
 * Always valid UTF-8: bytes that are not become U+FFFD, control characters are escaped. */
#ifndef HEAPTALLY_REPORT_JSON_H
#define HEAPTALLY_REPORT_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
    FILE *out;
    unsigned depth;
    bool filled; /* the innermost object or array has a member already */
};

/* name: of the member; null in an array and for the outermost value. */
void json_open(struct json *self, const char *name, char bracket);            /* '{' or '[' */
void json_close(struct json *self, char bracket);                             /* '}' or ']' */
void json_put_string(struct json *self, const char *name, const char *value); /* null pointer: null */
void json_put_signed(struct json *self, const char *name, int64_t value);
void json_put_unsigned(struct json *self, const char *name, uint64_t value);
void json_put_real(struct json *self, const char *name, double value);
void json_put_bool(struct json *self, const char *name, bool value);
void json_put_null(struct json *self, const char *name);

#endif
