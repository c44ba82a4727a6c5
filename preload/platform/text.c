/* text.c - see text.h.
 * Owns:    nothing.
 * Threads: any.  Signals: safe.  Heap: never. */
#include "text.h"

#include <string.h>

struct text text_in(char *buffer, size_t capacity) {
    buffer[0] = '\0';
    return (struct text){buffer, 0, capacity, false};
}

void text_add_bytes(struct text *self, const char *bytes, size_t count) {
    size_t room = self->capacity - 1 - self->used;
    if (count > room) {
        self->cut = true;
        count = room;
    }
    memcpy(self->at + self->used, bytes, count);
    self->used += count;
    self->at[self->used] = '\0';
}

void text_add(struct text *self, const char *string) {
    text_add_bytes(self, string, strlen(string));
}

void text_add_number(struct text *self, uint64_t value) {
    char digits[20];
    size_t start = sizeof digits;
    do {
        digits[--start] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    text_add_bytes(self, digits + start, sizeof digits - start);
}

bool text_equal(const char *a, const char *b) {
    return strcmp(a, b) == 0;
}

bool text_scan_number(const char **cursor, uint64_t *value) {
    const char *at = *cursor;
    uint64_t sum = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    bool any = at != *cursor;
    *cursor = at;
    *value = sum;
    return any;
}

bool text_number(const char *string, uint64_t *value) {
    return text_scan_number(&string, value) && *string == '\0';
}
