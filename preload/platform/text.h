/* text.h - bounded strings, for code that may use neither the heap nor stdio.
 *
 * A `struct text` appends into a caller's buffer, which is always NUL-terminated; what does not fit is
 * dropped and `cut` is set.
 * Threads: any, each its own.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_TEXT_H
#define HEAPTALLY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *at;
    size_t used, capacity;
    bool cut;
};

/* capacity > 0, the terminating NUL included. */
struct text text_in(char *buffer, size_t capacity);
void text_add(struct text *self, const char *string);
void text_add_bytes(struct text *self, const char *bytes, size_t count);
void text_add_number(struct text *self, uint64_t value);

bool text_equal(const char *a, const char *b);
/* Parses all of `string` as decimal digits; false if it is empty, has other characters or is too large. */
bool text_number(const char *string, uint64_t *value);
/* Reads a number at *cursor and moves past it; false if there is no digit. */
bool text_scan_number(const char **cursor, uint64_t *value);

#endif
