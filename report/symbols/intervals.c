/* intervals.c - a sweep over sorted ranges with a stack of the open ones.
 * Owns:    items until flattened, segments after.
 * Holds:   segments ascend strictly by `low`; each names the range on top from there on.
 * Threads: one at a time.   Heap: yes, every failure returned. */
#include "intervals.h"

#include <stdlib.h>

bool intervals_add(struct intervals *self, struct interval item) {
    if (item.low >= item.high)
        return true;
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 64;
        struct interval *items = reallocarray(self->items, capacity, sizeof *items);
        if (!items)
            return false;
        self->items = items;
        self->capacity = capacity;
    }
    self->items[self->count++] = item;
    return true;
}

static int compare_items(const void *left, const void *right) {
    const struct interval *a = left, *b = right;
    if (a->low != b->low)
        return a->low < b->low ? -1 : 1;
    if (a->high != b->high)
        return a->high > b->high ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return (a->value > b->value) - (a->value < b->value);
}

struct sweep {
    struct interval_segment *segments;
    size_t segment_count;
    const struct interval **open; /* a stack */
    size_t open_count;
};

static void emit(struct sweep *self, uint64_t low, uint32_t value) {
    if (self->segment_count && self->segments[self->segment_count - 1].low == low)
        self->segment_count--;
    self->segments[self->segment_count++] = (struct interval_segment){low, value};
}

/* Ends the ranges on top that end at or before `limit`. */
static void close_until(struct sweep *self, uint64_t limit) {
    while (self->open_count && self->open[self->open_count - 1]->high <= limit) {
        uint64_t end = self->open[self->open_count - 1]->high;
        while (self->open_count && self->open[self->open_count - 1]->high <= end)
            self->open_count--;
        emit(self, end, self->open_count ? self->open[self->open_count - 1]->value : INTERVALS_NONE);
    }
}

static void sweep_items(struct sweep *self, const struct interval *items, size_t count) {
    for (size_t i = 0; i < count; i++) {
        close_until(self, items[i].low);
        emit(self, items[i].low, items[i].value);
        self->open[self->open_count++] = &items[i];
    }
    close_until(self, UINT64_MAX);
}

static void drop_items(struct intervals *self) {
    free(self->items);
    self->items = NULL;
    self->count = self->capacity = 0;
}

bool intervals_flatten(struct intervals *self) {
    if (!self->count)
        return true;
    /* Each range emits at most one segment when it starts and one when it ends. */
    struct sweep sweep = {.segments = calloc(self->count, 2 * sizeof *sweep.segments),
                          .open = calloc(self->count, sizeof(struct interval *))};
    bool done = sweep.segments && sweep.open;
    if (done) {
        qsort(self->items, self->count, sizeof *self->items, compare_items);
        sweep_items(&sweep, self->items, self->count);
        self->segments = sweep.segments;
        self->segment_count = sweep.segment_count;
    } else {
        free(sweep.segments);
    }
    free(sweep.open);
    drop_items(self);
    return done;
}

uint32_t intervals_find(const struct intervals *self, uint64_t address) {
    size_t low = 0, high = self->segment_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->segments[middle].low <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? self->segments[low - 1].value : INTERVALS_NONE;
}

void intervals_clear(struct intervals *self) {
    drop_items(self);
    free(self->segments);
    *self = (struct intervals){0};
}
