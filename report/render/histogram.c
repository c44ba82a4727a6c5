/* histogram.c - see histogram.h.
 * Owns:    nothing.
 * Threads: any, one per stream.  Signals: no.  Heap: no (but stdio's). */
#include "histogram.h"
#include "units.h"

#include <inttypes.h>
#include <stdio.h>

#define BOUND_BYTES 32

static const struct {
    const char *name, *title, *unit, *count, *second; /* names of the columns; second null: there is none */
} kinds[] = {
    [VIEW_SIZES] = {"size", "SIZE", "bytes", "allocated", "live"},
    [VIEW_LIFETIMES] = {"lifetime", "LIFETIME", "ns", "freed", NULL},
    [VIEW_LATER] = {"lifetime-count", "LIFETIME IN ALLOCATIONS", "allocations", "freed", NULL},
    [VIEW_AGES] = {"age", "AGE", "ns", "live", "bytes"},
};

static const struct {
    const char *heading_count, *heading_second;
} headings[] = {
    [VIEW_SIZES] = {"ALLOCATED", "LIVE"},
    [VIEW_LIFETIMES] = {"FREED", ""},
    [VIEW_LATER] = {"FREED", ""},
    [VIEW_AGES] = {"LIVE", "BYTES"},
};

static const char *put_time(double ns, char *text) {
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"h", 3600e9}, {"min", 60e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (ns >= units[i].ns) {
            double value = ns / units[i].ns;
            snprintf(text, BOUND_BYTES,
                     value < 10    ? "%.2f %s"
                     : value < 100 ? "%.1f %s"
                                   : "%.0f %s",
                     value, units[i].name);
            return text;
        }
    snprintf(text, BOUND_BYTES, "%.0f ns", ns);
    return text;
}

/* Bounds of sizes are powers of two. */
static const char *put_bytes(uint64_t bytes, char *text) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    for (; bytes >= 1024 && unit + 1 < sizeof units / sizeof *units; bytes /= 1024)
        unit++;
    snprintf(text, BOUND_BYTES, "%" PRIu64 " %s", bytes, units[unit]);
    return text;
}

static const char *put_bound(enum view_histogram_kind kind, uint64_t bound, char *text) {
    if (kind == VIEW_SIZES)
        return put_bytes(bound, text);
    if (kind != VIEW_LATER)
        return put_time((double)bound, text);
    snprintf(text, BOUND_BYTES, "%" PRIu64, bound);
    return text;
}

static bool is_empty(const struct view_bucket *bucket) {
    return bucket->count == 0 && bucket->second == 0;
}

static void put_bucket(FILE *out, const struct view_histogram *self, const struct view_bucket *bucket,
                       double part, double sum) {
    char from[BOUND_BYTES], below[BOUND_BYTES];
    fprintf(out, "%12s %12s %12" PRId64 " %6.1f %% %8.1f %%", put_bound(self->kind, bucket->from, from),
            bucket->open ? "-" : put_bound(self->kind, bucket->below, below), bucket->count, part, sum);
    if (kinds[self->kind].second != NULL)
        fprintf(out, " %14" PRId64, bucket->second);
    fputc('\n', out);
}

void histogram_put(FILE *out, const struct view_histogram *self, const char *of) {
    size_t first = 0, end = self->count;
    double total = 0, sum = 0;
    for (size_t i = 0; i < self->count; i++)
        total += (double)self->buckets[i].count;
    while (first < end && is_empty(&self->buckets[first]))
        first++;
    while (end > first && is_empty(&self->buckets[end - 1]))
        end--;
    fprintf(out, "%s of %s%s\n", kinds[self->kind].title, of, first == end ? ": none" : "");
    if (first == end)
        return;
    const char *second = headings[self->kind].heading_second;
    fprintf(out, "%12s %12s %12s %8s %10s", "FROM", "BELOW", headings[self->kind].heading_count, "%",
            "CUMULATED");
    fprintf(out, second[0] != '\0' ? " %14s\n" : "%s\n", second);
    for (size_t i = first; i < end; i++) {
        double part = total > 0 ? 100 * (double)self->buckets[i].count / total : 0;
        put_bucket(out, self, &self->buckets[i], part, sum += part);
    }
}

void histogram_put_json(struct json *json, const struct view_histogram *self) {
    json_open(json, "histogram", '{');
    json_put_string(json, "of", kinds[self->kind].name);
    json_put_string(json, "unit", kinds[self->kind].unit);
    json_open(json, "buckets", '[');
    for (size_t i = 0; i < self->count; i++) {
        const struct view_bucket *bucket = &self->buckets[i];
        json_open(json, NULL, '{');
        json_put_unsigned(json, "from", bucket->from);
        if (bucket->open)
            json_put_null(json, "below");
        else
            json_put_unsigned(json, "below", bucket->below);
        json_put_signed(json, kinds[self->kind].count, bucket->count);
        if (kinds[self->kind].second != NULL)
            json_put_signed(json, kinds[self->kind].second, bucket->second);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}
