/* details.c - see details.h.
 *
 * Births of live blocks are counted in equal units of time, of which there are HT_DETAIL_AGES: when a birth
 * lies beyond the last, the units double and their counts merge by twos. So the units of a cell are 1/16 to
 * 1/8 of the time from the epoch to its last birth, at the start of which they are 2^SHIFT_FIRST ns.
 *
 * All stores are relaxed: readers trust what they find between two equal even sequences of the cell.
 *
 * Owns:    DETAILS.
 * Threads: each its own.  Signals: no.  Heap: never. */
#include "details.h"

#include "../platform/options.h"
#include "../platform/sys.h"
#include "image.h"

#define SHIFT_FIRST 20u

static uint32_t exhausted; /* (atomic) no room: budget and disk do not grow */

static bool is_touchable(uint32_t cell) {
    const struct ht_region *region = &image_header->regions[HT_REGION_DETAILS];
    uint64_t committed = __atomic_load_n(&region->committed_bytes, __ATOMIC_ACQUIRE); /* partner: image.c */
    return (cell + (uint64_t)1) * sizeof(struct ht_detail) <= committed;
}

struct ht_detail *details_of(uint32_t cell) {
    const struct ht_region *region = &image_header->regions[HT_REGION_DETAILS];
    if (__atomic_load_n(&region->used_records, __ATOMIC_RELAXED) > cell && is_touchable(cell))
        return &image_details[cell];
    if (__atomic_load_n(&exhausted, __ATOMIC_RELAXED) == 0) {
        if (image_cover(HT_REGION_DETAILS, cell))
            return &image_details[cell];
        __atomic_store_n(&exhausted, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

void details_clear(uint64_t first_cell, uint32_t count) {
    for (uint64_t i = first_cell; i < first_cell + count; i++)
        if (is_touchable((uint32_t)i))
            image_details[i] = (struct ht_detail){0};
}

void details_after_fork(void) {
    exhausted = 0;
}

uint64_t details_now(void) {
    uint64_t now = sys_now_ns(), epoch = image_header->details_epoch_ns;
    return now > epoch ? now - epoch : 0;
}

static void bump(uint64_t *counter, uint64_t by) {
    __atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

static void bump_live(uint32_t *counter, uint32_t by) {
    __atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

/* ---- histograms ---- */

static uint32_t bucket_of(uint64_t value, uint32_t buckets) {
    uint32_t bits = value != 0 ? 64 - (uint32_t)__builtin_clzll(value) : 0;
    return bits < buckets ? bits : buckets - 1;
}

static void merge_births(struct ht_detail *detail) {
    for (uint32_t i = 0; i < HT_DETAIL_AGES; i++) {
        uint32_t from = 2 * i;
        bool merged = from < HT_DETAIL_AGES;
        uint32_t blocks = merged ? detail->birth_blocks[from] + detail->birth_blocks[from + 1] : 0;
        int64_t bytes = merged ? detail->birth_bytes[from] + detail->birth_bytes[from + 1] : 0;
        __atomic_store_n(&detail->birth_blocks[i], blocks, __ATOMIC_RELAXED);
        __atomic_store_n(&detail->birth_bytes[i], bytes, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&detail->age_shift, detail->age_shift + 1, __ATOMIC_RELAXED);
}

static void count_birth(struct ht_detail *detail, uint64_t born_ns, uint32_t blocks, int64_t bytes) {
    if (detail->age_shift == 0)
        __atomic_store_n(&detail->age_shift, SHIFT_FIRST, __ATOMIC_RELAXED);
    while (born_ns >> detail->age_shift >= HT_DETAIL_AGES)
        merge_births(detail);
    uint64_t at = born_ns >> detail->age_shift;
    bump_live(&detail->birth_blocks[at], blocks);
    __atomic_store_n(&detail->birth_bytes[at], detail->birth_bytes[at] + bytes, __ATOMIC_RELAXED);
}

/* ---- events ---- */

void details_note_peak(struct ht_detail *detail, const struct ht_cell *cell) {
    uint32_t sequence = (uint32_t)__atomic_load_n(&image_header->totals.peak_sequence, __ATOMIC_ACQUIRE);
    if (cell->peak_sequence != sequence)
        __atomic_store_n(&detail->peak_waste_bytes,
                         (int64_t)(detail->allocated_waste_bytes - detail->freed_waste_bytes),
                         __ATOMIC_RELAXED);
}

static void count_resizing(struct ht_detail *detail, uint64_t size_bytes, const struct happening *happening) {
    bump(&detail->reallocs, 1);
    bump(&detail->realloc_bytes, size_bytes);
    switch (happening->resizing) {
    case RESIZING_MOVED:
        bump(&detail->moves, 1);
        bump(&detail->moved_bytes, happening->copied_bytes);
        break;
    case RESIZING_GROWN: bump(&detail->grown_in_place, 1); break;
    case RESIZING_SHRUNK: bump(&detail->shrunk_in_place, 1); break;
    default: break;
    }
}

void details_inherit(struct ht_detail *detail, uint64_t size_bytes, const struct birth *birth) {
    uint32_t size = bucket_of(size_bytes, HT_DETAIL_SIZES);
    bump(&detail->sizes[size], 1);
    bump_live(&detail->live_sizes[size], 1);
    if (birth->slot == 0)
        return;
    bump(&detail->allocated_waste_bytes, birth->waste_bytes);
    count_birth(detail, birth->time_ns, 1, (int64_t)size_bytes);
}

void details_allocated(struct ht_detail *detail, uint64_t size_bytes, const struct happening *happening) {
    details_inherit(detail, size_bytes, &happening->birth);
    __atomic_store_n(&detail->last_ns, happening->now_ns, __ATOMIC_RELAXED);
    if (happening->resizing != RESIZING_NONE)
        count_resizing(detail, size_bytes, happening);
}

static void count_life(struct ht_detail *detail, uint64_t size_bytes, const struct happening *happening) {
    uint64_t born_ns = happening->birth.time_ns;
    uint64_t life_ns = happening->now_ns > born_ns ? happening->now_ns - born_ns : 0;
    bump(&detail->lifetimes_allocations[bucket_of(happening->later, HT_DETAIL_LATER)], 1);
    bump(&detail->lifetimes_ns[bucket_of(life_ns >> HT_DETAIL_NS_LOG, HT_DETAIL_TIMES)], 1);
    if (happening->later >= options.temporary_below)
        return;
    bump(&detail->temporaries, 1);
    bump(&detail->temporary_bytes, size_bytes);
}

void details_freed(struct ht_detail *detail, uint64_t size_bytes, const struct happening *happening) {
    bump_live(&detail->live_sizes[bucket_of(size_bytes, HT_DETAIL_SIZES)], UINT32_MAX);
    __atomic_store_n(&detail->last_ns, happening->now_ns, __ATOMIC_RELAXED);
    if (happening->birth.slot == 0)
        return;
    bump(&detail->freed_waste_bytes, happening->birth.waste_bytes);
    count_birth(detail, happening->birth.time_ns, UINT32_MAX, -(int64_t)size_bytes);
    count_life(detail, size_bytes, happening);
}
