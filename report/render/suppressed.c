/* suppressed.c - see suppressed.h.
 * Owns:    nothing.
 * Threads: any, one per stream.  Signals: no.  Heap: no (but stdio's). */
#include "suppressed.h"
#include "harmless.h"

#include <inttypes.h>

void suppressed_put_lines(FILE *out, const struct view_suppressed *suppressed) {
    for (size_t i = 0; i < suppressed->by_count; i++) {
        const struct view_suppression *at = &suppressed->by[i];
        fprintf(out, "    %.1f KiB in %" PRId64 " blocks by ", (double)at->size / 1024, at->count);
        harmless_put(out, at->line);
        fputs(" of ", out);
        harmless_put(out, at->origin);
        fputc('\n', out);
    }
}

void suppressed_put_json(struct json *json, const struct view_suppressed *suppressed, bool estimate) {
    json_open(json, "suppressed", '{');
    json_put_signed(json, "size", suppressed->size);
    if (estimate)
        json_put_real(json, "size_error", suppressed->size_error);
    json_put_signed(json, "count", suppressed->count);
    if (estimate)
        json_put_real(json, "count_error", suppressed->count_error);
    json_open(json, "by", '[');
    for (size_t i = 0; i < suppressed->by_count; i++) {
        const struct view_suppression *at = &suppressed->by[i];
        json_open(json, NULL, '{');
        json_put_string(json, "suppression", at->line);
        json_put_string(json, "origin", at->origin);
        json_put_signed(json, "size", at->size);
        json_put_signed(json, "count", at->count);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}
