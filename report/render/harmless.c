/* harmless.c - see harmless.h.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: no. */
#include "harmless.h"

#include <stdint.h>
#include <string.h>

/* How many bytes a first byte announces, and the smallest character that needs as many. */
static size_t announced(unsigned char first, uint32_t *value, uint32_t *smallest) {
    static const uint32_t smallest_of[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t bytes = first < 0x80                    ? 1
                   : first >= 0xf0 && first < 0xf8 ? 4
                   : first >= 0xe0                 ? 3
                   : first >= 0xc0                 ? 2
                                                   : 0;
    if (first >= 0xf8)
        bytes = 0;
    if (bytes != 0)
        *smallest = smallest_of[bytes];
    *value = bytes <= 1 ? first : first & (0x7fu >> bytes);
    return bytes;
}

size_t harmless_character(const char *text, size_t length) {
    uint32_t value, smallest = 0;
    size_t bytes = announced((unsigned char)text[0], &value, &smallest);
    if (bytes == 0 || bytes > length)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        unsigned char next = (unsigned char)text[i];
        if ((next & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (next & 0x3fu);
    }
    if (value < smallest || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 0;
    if (value < 0x20 || (value >= 0x7f && value < 0xa0))
        return 0;
    /* line and paragraph separators, and the marks that turn the direction of writing */
    if ((value >= 0x2028 && value <= 0x202e) || (value >= 0x2066 && value <= 0x2069))
        return 0;
    return bytes;
}

void harmless_write(FILE *out, const char *text, size_t length) {
    for (size_t at = 0; at < length;) {
        size_t bytes = harmless_character(text + at, length - at);
        if (bytes == 0)
            fprintf(out, "\\x%02x", (unsigned)(unsigned char)text[at++]);
        else
            fwrite(text + at, 1, bytes, out);
        at += bytes;
    }
}

void harmless_put(FILE *out, const char *text) {
    harmless_write(out, text, strlen(text));
}
