/* test_details.c - records of details, against lists of the test's own: histograms, births in merging units,
 * the waste at the peak, and the end of the room. */
#include "support.h"

#include "image/cells.h"
#include "image/counters.h"
#include "image/details.h"
#include "image/image.h"
#include "image/threads.h"

#include <stdlib.h>
#include <string.h>

#define MS    ((uint64_t)1000000)
#define FIRST 500u /* made-up stack ids */

static struct thread *self;

static struct happening birth_at(uint64_t ns) {
    return (struct happening){.birth = {.time_ns = ns, .slot = 1}, .now_ns = ns};
}

static struct happening death_of(uint64_t born_ns, uint64_t life_ns, uint64_t later) {
    return (struct happening){
        .birth = {.time_ns = born_ns, .slot = 1}, .now_ns = born_ns + life_ns, .later = later};
}

static void buckets_are_powers_of_two(void **state) {
    static const struct {
        uint64_t size;
        uint32_t bucket;
    } sizes[] = {{0, 0},
                 {1, 1},
                 {2, 2},
                 {3, 2},
                 {4, 3},
                 {1023, 10},
                 {1024, 11},
                 {((uint64_t)1 << 30) - 1, 30},
                 {(uint64_t)1 << 30, 31},
                 {UINT64_MAX, 31}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct ht_detail detail = {0};
        struct happening birth = birth_at(0), death = death_of(0, 0, 0);
        details_allocated(&detail, sizes[i].size, &birth);
        assert_int_equal(detail.sizes[sizes[i].bucket], 1);
        assert_int_equal(detail.live_sizes[sizes[i].bucket], 1);
        details_freed(&detail, sizes[i].size, &death);
        assert_int_equal(detail.sizes[sizes[i].bucket], 1);
        assert_int_equal(detail.live_sizes[sizes[i].bucket], 0);
    }
}

static void lifetimes_are_counted_both_ways(void **state) {
    struct ht_detail detail = {0};
    struct happening deaths[] = {death_of(5 * MS, 0, 0),
                                 death_of(5 * MS, 1023, 1),
                                 death_of(5 * MS, 1024, 2),
                                 death_of(5 * MS, 1 << 20, 3),
                                 death_of(5 * MS, (uint64_t)1 << 60, 1 << 22),
                                 death_of(5 * MS, 2047, 1 << 30)};
    (void)state;
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++)
        details_freed(&detail, 10, &deaths[i]);
    assert_int_equal(detail.lifetimes_ns[0], 2);
    assert_int_equal(detail.lifetimes_ns[1], 2);
    assert_int_equal(detail.lifetimes_ns[11], 1);
    assert_int_equal(detail.lifetimes_ns[HT_DETAIL_TIMES - 1], 1);
    assert_int_equal(detail.lifetimes_allocations[0], 1);
    assert_int_equal(detail.lifetimes_allocations[1], 1);
    assert_int_equal(detail.lifetimes_allocations[2], 2);
    assert_int_equal(detail.lifetimes_allocations[HT_DETAIL_LATER - 1], 2);
    assert_int_equal(detail.temporaries, 1); /* before one later allocation */
    assert_int_equal(detail.temporary_bytes, 10);
}

/* ---- births ---- */

enum { BLOCKS = 3000 };

/* What a list of live births says of a record's units. */
static void same_births(const struct ht_detail *detail, const uint64_t *born, const bool *dead,
                        uint32_t count) {
    uint32_t blocks[HT_DETAIL_AGES] = {0};
    int64_t bytes[HT_DETAIL_AGES] = {0};
    for (uint32_t i = 0; i < count; i++)
        if (!dead[i]) {
            assert_true(born[i] >> detail->age_shift < HT_DETAIL_AGES);
            blocks[born[i] >> detail->age_shift]++;
            bytes[born[i] >> detail->age_shift] += i;
        }
    assert_memory_equal(blocks, detail->birth_blocks, sizeof blocks);
    assert_memory_equal(bytes, detail->birth_bytes, sizeof bytes);
}

static void births_merge_as_time_goes_on(void **state) {
    static uint64_t born[BLOCKS];
    static bool dead[BLOCKS];
    struct ht_detail detail = {0};
    uint64_t seed = 3, now = 0;
    (void)state;
    memset(dead, 0, sizeof dead);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        now += random_below(&seed, i < BLOCKS / 2 ? MS : 1000 * MS);
        born[i] = now;
        struct happening birth = birth_at(now);
        details_allocated(&detail, i, &birth);
        uint32_t other = (uint32_t)random_below(&seed, i + 1);
        if (i % 3 == 0 && !dead[other]) {
            struct happening death = death_of(born[other], now - born[other], 0);
            details_freed(&detail, other, &death);
            dead[other] = true;
        }
        if (i % 100 == 0)
            same_births(&detail, born, dead, i + 1);
        if (now >= 16 * ((uint64_t)1 << 20)) { /* a unit is 1/16 to 1/8 of the time until now */
            assert_true((uint64_t)16 << detail.age_shift > now);
            assert_true((uint64_t)8 << detail.age_shift <= now);
        }
    }
    same_births(&detail, born, dead, BLOCKS);
    assert_int_equal(detail.last_ns, now);
}

/* A thread frees what another one has allocated long after its own last event, or before its first. */
static void units_grow_for_frees_too(void **state) {
    struct ht_detail mine = {0}, other = {0};
    struct happening early = birth_at(MS), late = birth_at(100000 * MS);
    struct happening death = death_of(100000 * MS, 5, 1);
    (void)state;
    details_allocated(&mine, 10, &early);
    details_allocated(&other, 20, &late);
    details_freed(&mine, 20, &death);
    uint64_t unit = 100000 * MS >> mine.age_shift;
    assert_int_equal(mine.age_shift, other.age_shift);
    assert_true(unit < HT_DETAIL_AGES);
    assert_int_equal((int32_t)mine.birth_blocks[unit], -1);
    assert_int_equal(mine.birth_blocks[unit] + other.birth_blocks[unit], 0);
    assert_int_equal(mine.birth_bytes[unit] + other.birth_bytes[unit], 0);
    assert_int_equal(mine.birth_blocks[0], 1);
}

static void unknown_births_count_by_size_alone(void **state) {
    struct ht_detail detail = {0};
    struct happening unknown = {.now_ns = 7};
    (void)state;
    details_allocated(&detail, 100, &unknown);
    assert_int_equal(detail.sizes[7], 1);
    assert_int_equal(detail.live_sizes[7], 1);
    details_freed(&detail, 100, &unknown);
    assert_int_equal(detail.live_sizes[7], 0);
    assert_int_equal(detail.temporaries, 0);
    assert_int_equal(detail.lifetimes_ns[0], 0);
    assert_int_equal(detail.age_shift, 0);
    assert_int_equal(detail.last_ns, 7);
}

/* ---- under a cell ---- */

static void the_peak_has_its_waste(void **state) {
    struct happening wasteful = birth_at(MS), death = death_of(MS, 9, 3);
    (void)state;
    wasteful.birth.waste_bytes = death.birth.waste_bytes = 8;
    uint32_t cell = cells_find(self, FIRST);
    counters_detailed(self, cell, 1000, false, &wasteful);
    counters_detailed(self, cell, 1000, false, &wasteful);
    counters_detailed(self, cell, 1000, true, &death); /* ends a maximum of two blocks */
    counters_detailed(self, cell, 1000, true, &death);
    const struct ht_detail *detail = details_of(cell);
    assert_non_null(detail);
    assert_int_equal(image_cells[cell].peak_bytes, 2000);
    assert_int_equal(detail->peak_waste_bytes, 16);
    assert_int_equal(detail->allocated_waste_bytes, 16);
    assert_int_equal(detail->freed_waste_bytes, 16);
    assert_int_equal(image_cells[cell].write_sequence % 2, 0);
}

static void reallocs_are_told_apart(void **state) {
    struct ht_detail detail = {0};
    struct happening event = birth_at(MS);
    (void)state;
    for (int i = RESIZING_NONE; i <= RESIZING_KEPT; i++) {
        event.resizing = (enum resizing)i;
        event.copied_bytes = 30;
        details_allocated(&detail, 50, &event);
    }
    assert_int_equal(detail.reallocs, 4);
    assert_int_equal(detail.realloc_bytes, 200);
    assert_int_equal(detail.moves, 1);
    assert_int_equal(detail.moved_bytes, 30);
    assert_int_equal(detail.grown_in_place, 1);
    assert_int_equal(detail.shrunk_in_place, 1);
}

/* Half of the budget holds so many records and no more; cells beyond are counted without. */
static void fill_up(void) {
    struct happening event = birth_at(MS);
    uint32_t cell = 0, stack = FIRST + 1;
    while (details_of(cell) != NULL && ++stack < FIRST + 200000)
        cell = cells_find(self, stack);
    CHECK(details_of(cell) == NULL && cell != self->overflow_cell);
    CHECK(image_header->losses[HT_LOSS_DETAILS] == 0);
    counters_detailed(self, cell, 10, false, &event);
    CHECK(image_header->losses[HT_LOSS_DETAILS] == 1);
    CHECK(image_cells[cell].allocations == 1);
    const struct ht_region *region = &image_header->regions[HT_REGION_DETAILS];
    CHECK(region->committed_bytes <= image_header->budget_bytes / 2 + 65536);
}

static void full_is_lost_and_counted(void **state) {
    (void)state;
    assert_int_equal(in_child(fill_up), 0);
}

static int set_up(void **state) {
    (void)state;
    set_options("HEAPTALLY_MEMORY=32M", "HEAPTALLY_DETAILS=1", NULL);
    if (!begin_image())
        return -1;
    self = threads_claim();
    return self != NULL ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_powers_of_two),
        cmocka_unit_test(lifetimes_are_counted_both_ways),
        cmocka_unit_test(births_merge_as_time_goes_on),
        cmocka_unit_test(units_grow_for_frees_too),
        cmocka_unit_test(unknown_births_count_by_size_alone),
        cmocka_unit_test(the_peak_has_its_waste),
        cmocka_unit_test(reallocs_are_told_apart),
        cmocka_unit_test(full_is_lost_and_counted),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
