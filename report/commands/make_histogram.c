/* make_histogram.c - see make_histogram.h.
 * Owns:    nothing.
 * Threads: any.  Signals: no.  Heap: no. */
#include "make_histogram.h"

_Static_assert(VIEW_BUCKETS_MAX >= HT_DETAIL_SIZES && VIEW_BUCKETS_MAX >= HT_DETAIL_TIMES &&
                   VIEW_BUCKETS_MAX >= HT_DETAIL_LATER && VIEW_BUCKETS_MAX >= HT_DETAIL_AGES,
               "a histogram has room for all buckets");

/* By powers of two, in units of 2^unit_shift. */
static void fill_powers(struct view_histogram *to, const uint64_t *counts, uint32_t count,
                        uint32_t unit_shift) {
    to->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct details_bounds bounds = details_bounds(i, count);
        to->buckets[i] = (struct view_bucket){.from = bounds.from << unit_shift,
                                              .below = bounds.below << unit_shift,
                                              .open = bounds.below == 0,
                                              .count = (int64_t)counts[i]};
    }
}

/* What a thread freed of others' blocks may be more than it has: such counts fall below 0. */
static int64_t live(uint32_t count) {
    return (int32_t)count < 0 && count > UINT32_MAX / 2 ? (int64_t)(int32_t)count : (int64_t)count;
}

static void fill_sizes(struct view_histogram *to, const struct ht_detail *details) {
    fill_powers(to, details->sizes, HT_DETAIL_SIZES, 0);
    for (uint32_t i = 0; i < HT_DETAIL_SIZES; i++)
        to->buckets[i].second = live(details->live_sizes[i]);
}

/* Youngest first: ages from the end of a unit of births to its start. Those that began after `now` are none.
 */
static void fill_ages(struct view_histogram *to, const struct ht_detail *details, uint64_t now_ns) {
    uint64_t unit = (uint64_t)1 << details->age_shift;
    for (uint32_t i = HT_DETAIL_AGES; i-- > 0;) {
        uint64_t start = i * unit, end = start + (unit - 1);
        if (details->age_shift == 0 || (start > now_ns && details->birth_blocks[i] == 0))
            continue;
        to->buckets[to->count++] = (struct view_bucket){.from = now_ns > end ? now_ns - end : 0,
                                                        .below = now_ns > start ? now_ns - start + 1 : 1,
                                                        .count = live(details->birth_blocks[i]),
                                                        .second = details->birth_bytes[i]};
    }
}

struct view_histogram make_histogram(const struct ht_detail *details, enum view_histogram_kind kind,
                                     uint64_t now_ns) {
    struct view_histogram self = {.kind = kind};
    switch (kind) {
    case VIEW_LIFETIMES: fill_powers(&self, details->lifetimes_ns, HT_DETAIL_TIMES, HT_DETAIL_NS_LOG); break;
    case VIEW_LATER: fill_powers(&self, details->lifetimes_allocations, HT_DETAIL_LATER, 0); break;
    case VIEW_AGES: fill_ages(&self, details, now_ns); break;
    default: fill_sizes(&self, details); break;
    }
    return self;
}

struct view_details make_view_details(const struct ht_detail *details) {
    return (struct view_details){.temporaries = details->temporaries,
                                 .temporary_bytes = details->temporary_bytes,
                                 .reallocs = details->reallocs,
                                 .realloc_bytes = details->realloc_bytes,
                                 .moves = details->moves,
                                 .moved_bytes = details->moved_bytes,
                                 .grown_in_place = details->grown_in_place,
                                 .shrunk_in_place = details->shrunk_in_place,
                                 .waste_bytes = details_waste(details),
                                 .peak_waste_bytes = details->peak_waste_bytes};
}
