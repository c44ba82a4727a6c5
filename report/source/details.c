/* details.c - see details.h.
 * Owns:    nothing.
 * Holds:   sums of a damaged file's counters wrap, and are never undefined.
 * Threads: any.  Signals: no.  Heap: no. */
#include "details.h"

#define SHIFT_MAX 59u /* HT_DETAIL_AGES units of 2^59 are 2^63 ns: a sum of ages does not wrap */

bool details_present(const struct tables *tables) {
    return tables->header.temporary_below != 0;
}

int64_t details_waste(const struct ht_detail *self) {
    return (int64_t)(self->allocated_waste_bytes - self->freed_waste_bytes);
}

struct details_bounds details_bounds(uint32_t bucket, uint32_t buckets) {
    struct details_bounds bounds = {bucket != 0 ? (uint64_t)1 << (bucket - 1) : 0, (uint64_t)1 << bucket};
    if (bucket + 1 == buckets)
        bounds.below = 0;
    return bounds;
}

static void forget_births(struct ht_detail *self) {
    self->age_shift = 0;
    for (uint32_t i = 0; i < HT_DETAIL_AGES; i++) {
        self->birth_blocks[i] = 0;
        self->birth_bytes[i] = 0;
    }
}

struct ht_detail details_of_cell(const struct tables *tables, uint32_t id) {
    const struct records *details = &tables->region[HT_REGION_DETAILS];
    if (!details_present(tables) || id >= details->count)
        return (struct ht_detail){0};
    struct ht_detail self = ((const struct ht_detail *)details->at)[id];
    if (tables_cells(tables)[id].peak_sequence != (uint32_t)tables->header.totals.peak_sequence)
        self.peak_waste_bytes = details_waste(&self);
    if (self.age_shift == 0 || self.age_shift > SHIFT_MAX)
        forget_births(&self);
    return self;
}

static int64_t plus(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static void add_births(struct ht_detail *to, const struct ht_detail *from) {
    if (from->age_shift == 0)
        return;
    uint32_t shift = to->age_shift > from->age_shift ? to->age_shift : from->age_shift;
    struct ht_detail sum = {.age_shift = shift};
    for (uint32_t i = 0; i < HT_DETAIL_AGES; i++) {
        const struct ht_detail *sides[2] = {to, from};
        for (int side = 0; side < 2; side++) {
            uint32_t at = i >> (shift - sides[side]->age_shift < 31 ? shift - sides[side]->age_shift : 31);
            sum.birth_blocks[at] += sides[side]->birth_blocks[i];
            sum.birth_bytes[at] = plus(sum.birth_bytes[at], sides[side]->birth_bytes[i]);
        }
    }
    to->age_shift = shift;
    for (uint32_t i = 0; i < HT_DETAIL_AGES; i++) {
        to->birth_blocks[i] = sum.birth_blocks[i];
        to->birth_bytes[i] = sum.birth_bytes[i];
    }
}

static void add_all(uint64_t *to, const uint64_t *from, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        to[i] += from[i];
}

void details_add(struct ht_detail *to, const struct ht_detail *from) {
    to->temporaries += from->temporaries;
    to->temporary_bytes += from->temporary_bytes;
    to->reallocs += from->reallocs;
    to->realloc_bytes += from->realloc_bytes;
    to->moves += from->moves;
    to->moved_bytes += from->moved_bytes;
    to->grown_in_place += from->grown_in_place;
    to->shrunk_in_place += from->shrunk_in_place;
    to->allocated_waste_bytes += from->allocated_waste_bytes;
    to->freed_waste_bytes += from->freed_waste_bytes;
    to->peak_waste_bytes = plus(to->peak_waste_bytes, from->peak_waste_bytes);
    to->last_ns = to->last_ns > from->last_ns ? to->last_ns : from->last_ns;
    add_births(to, from);
    add_all(to->sizes, from->sizes, HT_DETAIL_SIZES);
    add_all(to->lifetimes_allocations, from->lifetimes_allocations, HT_DETAIL_LATER);
    add_all(to->lifetimes_ns, from->lifetimes_ns, HT_DETAIL_TIMES);
    for (uint32_t i = 0; i < HT_DETAIL_SIZES; i++)
        to->live_sizes[i] += from->live_sizes[i];
}
