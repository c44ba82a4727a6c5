/* fixed_time.c - preloaded beside the tracer: time() stands still, for programs that seed their hash tables
 * with it. */
#include <time.h>

time_t time(time_t *out) {
    const time_t now = 1700000000;
    if (out)
        *out = now;
    return now;
}
