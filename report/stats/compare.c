/* compare.c - see compare.h.
 * Owns:    the result's rows.
 * Holds:   each group of either side is in the result once.
 * Threads: one.  Signals: no.  Heap: yes. */
#define _GNU_SOURCE
#include "compare.h"
#include "interner.h"

#include <stdlib.h>
#include <string.h>

static uint64_t magnitude(int64_t value) {
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static int64_t minus(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

struct order {
    const struct frames *frames;
    bool of_counts;
};

static int by_count(const struct statistic *x, const struct statistic *y) {
    if (magnitude(x->count_diff) != magnitude(y->count_diff))
        return magnitude(x->count_diff) > magnitude(y->count_diff) ? -1 : 1;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return 0;
}

static int descending(const void *a, const void *b, void *context) {
    const struct statistic *x = a, *y = b;
    const struct order *order = context;
    if (order->of_counts && by_count(x, y) != 0)
        return by_count(x, y);
    if (magnitude(x->size_diff) != magnitude(y->size_diff))
        return magnitude(x->size_diff) > magnitude(y->size_diff) ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    if (by_count(x, y) != 0)
        return by_count(x, y);
    return -statistics_compare_tracebacks(order->frames, x, y);
}

/* Puts a row's group into `result`; its row there is at the group's id. */
static struct statistic *find_row(struct statistics *result, const struct statistic *row) {
    bool fresh;
    uint32_t group =
        interner_put(result->groups, row->frames, row->frame_count * sizeof *row->frames, &fresh);
    if (group == INTERNER_NONE)
        return NULL;
    struct statistic *at = &result->rows[group];
    if (fresh) {
        *at = (struct statistic){.frames = interner_get(result->groups, group, NULL),
                                 .frame_count = row->frame_count,
                                 .sample = row->sample};
        result->count++;
    }
    return at;
}

static bool merge(const struct statistics *old, const struct statistics *new, struct statistics *result) {
    for (size_t i = 0; i < new->count; i++) {
        struct statistic *row = find_row(result, &new->rows[i]);
        if (row == NULL)
            return false;
        row->size = row->size_diff = new->rows[i].size;
        row->count = row->count_diff = new->rows[i].count;
        row->size_variance = row->size_diff_variance = new->rows[i].size_variance;
        row->count_variance = row->count_diff_variance = new->rows[i].count_variance;
    }
    for (size_t i = 0; i < old->count; i++) {
        struct statistic *row = find_row(result, &old->rows[i]);
        if (row == NULL)
            return false;
        row->size_diff = minus(row->size, old->rows[i].size);
        row->count_diff = minus(row->count, old->rows[i].count);
        row->size_diff_variance += old->rows[i].size_variance;
        row->count_diff_variance += old->rows[i].count_variance;
    }
    return true;
}

void statistics_sort_differences(struct statistics *self, struct frames *frames) {
    struct order order = {frames, self->of_counts};
    if (self->count != 0)
        qsort_r(self->rows, self->count, sizeof *self->rows, descending, &order);
}

bool statistics_compare(const struct statistics *old, const struct statistics *new, struct frames *frames,
                        struct statistics *result, struct error *error) {
    memset(result, 0, sizeof *result);
    result->groups = interner_new();
    result->rows = calloc(old->count + new->count + 1, sizeof *result->rows);
    result->size_total = new->size_total;
    result->count_total = new->count_total;
    result->of_counts = new->of_counts;
    result->size_total_variance = new->size_total_variance;
    if (result->groups == NULL || result->rows == NULL || !merge(old, new, result)) {
        statistics_free(result);
        return error_out_of_memory(error);
    }
    statistics_sort_differences(result, frames);
    return true;
}
