/* error.h - what went wrong, in words for the user: which file, which offset or option, what to do.
 *
 * Functions that can fail take a `struct error *`, fill it and return false or null. Only main exits. */
#ifndef HEAPTALLY_REPORT_ERROR_H
#define HEAPTALLY_REPORT_ERROR_H

#include <stdbool.h>

struct error {
    char text[1536];
};

/* Formats the message, without the program's name and without a newline. Returns false, so that a
 * function can end with `return error_set(...)`. A null `self` drops the message. */
bool error_set(struct error *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a failed allocation. */
bool error_out_of_memory(struct error *self);

#endif
