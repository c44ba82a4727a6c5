/* snapshot_name.c - see snapshot_name.h.
 * Owns:    nothing.
 * Threads: any.  Signals: safe.  Heap: never. */
#include "snapshot_name.h"

#include "../platform/text.h"
#include "image.h"
#include "process.h"

bool snapshot_name_counts(const char *pattern) {
    for (; *pattern != '\0'; pattern++)
        if (*pattern == '%' && *++pattern == 'n')
            return true;
    return false;
}

static void add_harmless(struct text *out, const char *string) {
    for (; *string != '\0'; string++) {
        char c = (unsigned char)*string < ' ' || *string == '/' || *string == 0x7f ? '_' : *string;
        text_add_bytes(out, &c, 1);
    }
}

bool snapshot_name(char *out, size_t capacity, const char *pattern, uint32_t number, const char *label,
                   uint32_t try) {
    struct text text = text_in(out, capacity);
    for (; *pattern != '\0'; pattern++) {
        if (*pattern != '%') {
            text_add_bytes(&text, pattern, 1);
            continue;
        }
        switch (*++pattern) {
        case 'e': add_harmless(&text, process_name(image_header)); break;
        case 'p': text_add_number(&text, image_header->pid); break;
        case 'n': text_add_number(&text, number); break;
        case 'l': add_harmless(&text, label); break;
        default: text_add(&text, "%"); break;
        }
    }
    if (try > 0) {
        text_add(&text, ".");
        text_add_number(&text, try);
    }
    return !text.cut;
}
