/* estimate.c - see estimate.h.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: no (but stdio's). */
#include "estimate.h"
#include "units.h"

#include <string.h>

_Static_assert(ESTIMATE_BYTES > UNITS_BYTES + 3, "a size and the sign before it");

const char *estimate_size(double error, char *text) {
    memcpy(text, " +-", 4);
    units_size(error, false, text + 3);
    return text;
}

const char *estimate_count(double error, char *text) {
    snprintf(text, ESTIMATE_BYTES, " +-%.0f", error);
    return text;
}

static const char *distance(uint64_t sample_bytes, char *text) {
    char size[UNITS_BYTES];
    if (sample_bytes == 0)
        return memcpy(text, "exact", sizeof "exact");
    snprintf(text, ESTIMATE_BYTES, "one each %s on average", units_size((double)sample_bytes, false, size));
    return text;
}

static const char error_is[] = "+- is the standard error, the 95 % interval is 1.96 times that";

void estimate_put_line(FILE *out, uint64_t sample_bytes) {
    char text[ESTIMATE_BYTES];
    fprintf(out, "estimates from samples, %s; %s\n", distance(sample_bytes, text), error_is);
}

void estimate_put_difference_line(FILE *out, uint64_t old_sample_bytes, uint64_t sample_bytes) {
    char old[ESTIMATE_BYTES], new[ESTIMATE_BYTES];
    if (old_sample_bytes == sample_bytes)
        fprintf(out, "estimates from samples, %s", distance(sample_bytes, new));
    else
        fprintf(out, "estimates from samples, old: %s, new: %s", distance(old_sample_bytes, old),
                distance(sample_bytes, new));
    fprintf(out, "; %s; of differences it is at most so large\n", error_is);
}
