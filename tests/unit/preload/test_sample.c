/* test_sample.c - the two formulas that sampling rests on against libm's, the process that they drive against
 * what it must estimate, and that what allocations add frees take away to the last part. */
#include "support.h"

#include "heaptally_format.h"
#include "image/cells.h"
#include "image/counters.h"
#include "image/image.h"
#include "image/sample.h"
#include "image/threads.h"

#include <math.h>

static const uint64_t means[] = {1, 16, 4096, 524288, (uint64_t)64 << 30};
static const uint64_t sizes[] = {0, 1, 16, 24, 511, 4096, 65536, 524288, 524289, 3000000, (uint64_t)1 << 32};

static void near(double got, double wanted, double relative) {
    if (!(fabs(got - wanted) <= fabs(wanted) * relative + 1e-300))
        fail_msg("%.17g, not %.17g", got, wanted);
}

static void weighs_as_the_formulas_say(void **state) {
    (void)state;
    for (size_t m = 0; m < sizeof means / sizeof *means; m++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            sample_begin(means[m]);
            double size = (double)sizes[i], p = -expm1(-(size > 0 ? size : 1) / (double)means[m]);
            struct weight weight = sample_weight(sizes[i]);
            near((double)weight.block_parts, HT_SAMPLE_BLOCK / p, 1e-5);
            near((double)weight.byte_parts, HT_SAMPLE_BYTE * size / p, size != 0 ? 2e-3 / size + 1e-9 : 0);
            near(weight.blocks_variance, (1 - p) / (p * p), p > 0.999 ? 1 : 1e-9);
            near(weight.bytes_variance, size * size * (1 - p) / (p * p), p > 0.999 ? 1 : 1e-9);
        }
}

/* Mean and variance of an exponential distribution, and its median. */
static void draws_exponential_distances(void **state) {
    (void)state;
    const double mean = 10000;
    const int draws = SCALED(1000000);
    uint64_t random = 3;
    double sum = 0, squares = 0, below = 0;
    sample_begin((uint64_t)mean);
    for (int i = 0; i < draws; i++) {
        double distance = (double)sample_distance(&random);
        assert_true(distance >= 1);
        sum += distance;
        squares += distance * distance;
        below += distance <= mean * M_LN2;
    }
    double average = sum / draws, error = mean / sqrt(draws);
    assert_true(fabs(average - mean) < 5 * error + 1);
    assert_true(fabs(squares / draws - 2 * mean * mean) <
                5 * sqrt(20.0) * mean * mean / sqrt(draws) + 4 * mean);
    assert_true(fabs(below / draws - 0.5) < 5 * 0.5 / sqrt(draws) + 1e-3);
}

/* As track.c goes about it: estimates of known sums lie within their stated errors as often as they should.
 */
static void estimates_without_bias(void **state) {
    (void)state;
    const uint64_t size[] = {24, 1000, 30000, 65536, 200000};
    const int blocks[] = {40000, 4000, 300, 200, 60}, runs = 300;
    uint64_t random = 9;
    sample_begin(65536);
    for (int k = 0; k < 5; k++) {
        double mean = 0;
        int inside = 0;
        for (int run = 0; run < runs; run++) {
            double parts = 0, variance = 0;
            int64_t until = sample_distance(&random);
            for (int i = 0; i < blocks[k]; i++) {
                until -= (int64_t)size[k];
                if (until > 0)
                    continue;
                until = sample_distance(&random);
                parts += (double)sample_weight(size[k]).block_parts / HT_SAMPLE_BLOCK;
                variance += sample_weight(size[k]).blocks_variance;
            }
            mean += parts / runs;
            inside += fabs(parts - blocks[k]) <= 1.96 * sqrt(variance);
        }
        double p = -expm1(-(double)size[k] / 65536), deviation = sqrt(blocks[k] * (1 - p) / p / runs);
        assert_true(fabs(mean - blocks[k]) < 5 * deviation);
        assert_true(inside > runs * 85 / 100);
    }
}

/* One address or many, the frees take away what the allocations added: to the last part. */
static void takes_away_what_it_added(void **state) {
    (void)state;
    struct thread *self = threads_claim();
    assert_non_null(self);
    uint32_t cell = cells_find(self, 900);
    uint64_t seed = 4, sum = 0;
    sample_begin(65536);
    static uint64_t kept[1000];
    for (int i = 0; i < 1000; i++) {
        kept[i] = random_below(&seed, 900000);
        counters_sampled(self, cell, sample_weight(kept[i]), false);
        sum += sample_weight(kept[i]).byte_parts;
    }
    assert_int_equal(image_cells[cell].allocated_bytes, (sum + HT_SAMPLE_BYTE / 2) / HT_SAMPLE_BYTE);
    assert_int_equal(image_samples[cell].allocations, 1000);
    assert_int_equal(image_header->totals.live_bytes + (uint64_t)image_slots[self->slot].unflushed_bytes,
                     image_cells[cell].allocated_bytes);
    for (int i = 999; i >= 0; i--)
        counters_sampled(self, cell, sample_weight(kept[i]), true);
    assert_int_equal(image_cells[cell].freed_bytes, image_cells[cell].allocated_bytes);
    assert_int_equal(image_cells[cell].frees, image_cells[cell].allocations);
    assert_int_equal(image_header->totals.live_bytes + (uint64_t)image_slots[self->slot].unflushed_bytes, 0);
    near(image_samples[cell].freed_bytes_variance, image_samples[cell].allocated_bytes_variance, 1e-9);
}

static int setup_sampled(void **state) {
    (void)state;
    set_options("HEAPTALLY_MEMORY=64M", "HEAPTALLY_SAMPLE=64K", NULL);
    return begin_image() ? 0 : -1;
}

static int remove_image_file(void **state) {
    (void)state;
    image_remove();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weighs_as_the_formulas_say),
        cmocka_unit_test(draws_exponential_distances),
        cmocka_unit_test(estimates_without_bias),
        cmocka_unit_test(takes_away_what_it_added),
    };
    return cmocka_run_group_tests(tests, setup_sampled, remove_image_file);
}
