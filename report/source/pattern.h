/* pattern.h - the names of snapshot files: %e program, %p pid, %n number, %l label, %% percent. */
#ifndef HEAPTALLY_REPORT_PATTERN_H
#define HEAPTALLY_REPORT_PATTERN_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

#define PATTERN_DEFAULT "heaptally.%e.%p.%n.hts"

struct pattern_values {
    const char *program; /* a path: its last part is used */
    uint32_t pid;
    uint32_t number;
    const char *label;
};

/* Whether every % is followed by a letter that means something. */
bool pattern_check(const char *pattern, struct error *error);
bool pattern_has_number(const char *pattern);

/* Writes the name. False when it does not fit, or when a value with a slash or a control character in it
 * could not be made harmless. */
bool pattern_expand(const char *pattern, const struct pattern_values *values, char *path, size_t path_bytes);

#endif
