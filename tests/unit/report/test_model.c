/* test_model.c - images are frozen between updates; cells add up to stacks; the peak is where it was. */
#include "check.h"
#include "make_snapshot.h"
#include "source/image.h"
#include "source/model.h"

#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void an_image_is_read(void **state) {
    (void)state;
    struct tables *made = make_example();
    size_t size;
    struct error error;
    void *bytes = make_image(made, &size);
    struct tables *read = image_freeze(bytes, size, true, "image", &error);
    assert_non_null(read);
    struct model *model = model_new(read, &error);
    assert_int_equal(model->totals.live_bytes, 7601);
    assert_int_equal(model->live_low_bytes, 7601);
    assert_int_equal(model->live_high_bytes, 7601);
    model_free(model);
    tables_free(read);
    tables_free(made);
    free(bytes);
}

/* The owner was killed in the middle of an update: the row is taken as it is. */
static void an_odd_sequence_does_not_hang(void **state) {
    (void)state;
    struct tables *made = make_example();
    size_t size;
    made_cell(made, 2)->write_sequence = 7;
    void *bytes = make_image(made, &size);
    struct tables *read = image_freeze(bytes, size, false, "image", NULL);
    assert_non_null(read);
    assert_int_equal(made_cell(read, 2)->allocations, 7);
    tables_free(read);
    tables_free(made);
    free(bytes);
}

static void what_is_not_committed_is_not_read(void **state) {
    (void)state;
    struct tables *made = make_example();
    size_t size;
    char *bytes = make_image(made, &size);
    struct ht_header *header = (void *)bytes;
    header->regions[HT_REGION_CELLS].used_records = 1 << 30;
    header->regions[HT_REGION_CELLS].committed_bytes = 3 * sizeof(struct ht_cell) + 10;
    struct tables *read = image_freeze(bytes, size, false, "image", NULL);
    assert_non_null(read);
    assert_int_equal(read->region[HT_REGION_CELLS].count, 3);
    tables_free(read);
    tables_free(made);
    free(bytes);
}

static void every_truncation_of_an_image_is_an_error(void **state) {
    (void)state;
    struct tables *made = make_example();
    size_t size;
    void *bytes = make_image(made, &size);
    for (size_t cut = 0; cut < size; cut += 509)
        assert_null(image_freeze(bytes, cut, false, "image", NULL));
    tables_free(made);
    free(bytes);
}

static void random_images_are_survived(void **state) {
    (void)state;
    struct tables *made = make_example();
    size_t size;
    unsigned char *good = make_image(made, &size), *bytes = aligned_alloc(64, size);
    srand(1);
    for (int round = 0; round < 20000; round++) {
        memcpy(bytes, good, size);
        for (int i = 0; i < 4; i++)
            bytes[(size_t)rand() % size] = (unsigned char)rand();
        for (int i = 0; i < 2; i++) /* where it hurts */
            bytes[offsetof(struct ht_header, regions) +
                  (size_t)rand() % (HT_REGIONS * sizeof(struct ht_region))] = (unsigned char)rand();
        struct tables *read = image_freeze(bytes, size, true, "image", NULL);
        struct model *model = read != NULL ? model_new(read, NULL) : NULL;
        model_free(model);
        tables_free(read);
    }
    free(bytes);
    free(good);
    tables_free(made);
}

/* Somebody cuts the file again and again: every read is whole or an error. */
static void a_file_that_is_cut_is_an_error(void **state) {
    (void)state;
    char path[] = "/tmp/heaptally-test-XXXXXX";
    struct tables *made = make_example();
    size_t size;
    void *bytes = make_image(made, &size);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    pid_t cutter = fork();
    while (cutter == 0)
        if (pwrite(fd, bytes, size, 0) < 0 || ftruncate(fd, (off_t)size / 2) != 0)
            _exit(1);
    for (int i = 0; i < 3000; i++) {
        struct error error = {""};
        struct tables *read = image_read(path, true, &error);
        assert_true(read != NULL || error.text[0] != '\0');
        tables_free(read);
    }
    kill(cutter, SIGKILL);
    waitpid(cutter, NULL, 0);
    unlink(path);
    close(fd);
    free(bytes);
    tables_free(made);
}

static void cells_and_equal_hashes_add_up(void **state) {
    (void)state;
    struct tables *tables = make_example();
    make_cell(tables, 3, 1, 50, 0);
    struct ht_stack *twin = made_stack(tables, 5), *of = made_stack(tables, 4);
    twin->hash_lo = of->hash_lo;
    twin->hash_hi = of->hash_hi;
    make_cell(tables, HT_STACK_OVERFLOW, 2, 8, 0);
    struct model *model = model_new(tables, NULL);
    assert_int_equal(model->stack_count, 3);
    int64_t found[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        uint32_t stack = model->stacks[i].stack;
        found[stack == 3 ? 0 : stack == 4 ? 1 : 2] = model->stacks[i].measures.live_bytes;
    }
    assert_int_equal(found[0], 600 + 50);
    assert_int_equal(found[1], 7000 + 1);
    assert_int_equal(found[2], 16);
    model_free(model);
    tables_free(tables);
}

/* A block that another thread frees makes that thread's cell negative; the sum is right. */
static void frees_by_another_thread_cancel(void **state) {
    (void)state;
    struct tables *tables = make_tables();
    uint32_t pc = make_pc(tables, 0x1000, 0), stack = make_stack(tables, 0, 0, &pc, 1);
    make_cell(tables, stack, 10, 100, 0);
    make_cell(tables, stack, 0, 100, 4);
    struct ht_cell *other = made_cell(tables, 2);
    assert_int_equal(other->freed_bytes, 400);
    struct model *model = model_new(tables, NULL);
    assert_int_equal(model->stacks[0].measures.live_bytes, 600);
    assert_int_equal(model->stacks[0].measures.live_blocks, 6);
    model_free(model);
    tables_free(tables);
}

static void the_peak_is_kept_or_live_or_now(void **state) {
    (void)state;
    struct tables *tables = make_example();
    tables->header.totals.peak_sequence = (uint64_t)5 << 32 | 9; /* cells keep the low half */
    tables->header.totals.peak_bytes = 9000;
    struct ht_cell *first = made_cell(tables, 1);
    first->peak_sequence = 9;
    first->peak_bytes = 1500;
    first->peak_blocks = 150;
    struct model *model = model_new(tables, NULL);
    assert_false(model->peak_is_now);
    assert_int_equal(model->totals.peak_bytes, 1500 + 7000 + 1);
    assert_int_equal(model->totals.peak_blocks, 150 + 7 + 1);
    model_free(model);
    tables->header.totals.peak_bytes = 7600; /* less than what lives now */
    model = model_new(tables, NULL);
    assert_true(model->peak_is_now);
    assert_int_equal(model->totals.peak_bytes, 7601);
    model_free(model);
    tables->header.totals.slots_in_use = 4;
    tables->header.totals.quantum_max_bytes = 256;
    model = model_new(tables, NULL);
    assert_int_equal(model->peak_bound_bytes, 2 * 4 * 256);
    model_free(model);
    tables_free(tables);
}

/* What lives is as uncertain as what was allocated less what was freed; ids of one stack are one row. */
static void variances_add_up(void **state) {
    (void)state;
    struct tables *tables = make_example();
    make_cell(tables, 3, 1, 50, 0);
    make_samples(tables, 1024);
    struct model *model = model_new(tables, NULL);
    for (size_t i = 0; i < model->stack_count; i++)
        if (model->stacks[i].stack == 3) {
            assert_near(model->stacks[i].variances->live_bytes, 100 * (60 + 1));
            assert_near(model->stacks[i].variances->live_blocks, 60 + 1);
            assert_near(model->stacks[i].variances->allocations, 100 + 1);
            assert_near(model->stacks[i].variances->frees, 40);
        }
    assert_near(model->total_variances.live_bytes, 100 * (60 + 1 + 7 + 1));
    assert_near(model->total_variances.freed_bytes, 100 * 40);
    model_free(model);
    tables->header.sample_bytes = 0;
    model = model_new(tables, NULL);
    assert_null(model->stacks[0].variances);
    assert_near(model->total_variances.live_bytes, 0);
    model_free(model);
    tables_free(tables);
}

/* As the_peak_is_kept_or_live_or_now. */
static void variances_of_the_peak_are_those_of_its_cells(void **state) {
    (void)state;
    struct tables *tables = make_example();
    make_samples(tables, 1024);
    tables->header.totals.peak_sequence = (uint64_t)5 << 32 | 9;
    tables->header.totals.peak_bytes = 9000;
    made_cell(tables, 1)->peak_sequence = 9;
    made_cell(tables, 1)->peak_bytes = 1500;
    made_sample(tables, 1)->peak_bytes_variance = 12345;
    made_sample(tables, 1)->peak_blocks_variance = 99;
    made_sample(tables, 2)->peak_bytes_variance = 1e9; /* of an older maximum */
    struct model *model = model_new(tables, NULL);
    assert_near(model->total_variances.peak_bytes, 12345 + 100 * (7 + 1));
    assert_near(model->total_variances.peak_blocks, 99 + 7 + 1);
    model_free(model);
    tables->header.totals.peak_bytes = 7600; /* less than what lives now */
    model = model_new(tables, NULL);
    assert_near(model->total_variances.peak_bytes, 100 * (60 + 7 + 1));
    model_free(model);
    tables_free(tables);
}

static void hostile_variances_are_zero(void **state) {
    static const double hostile[] = {NAN, -NAN, INFINITY, -INFINITY, -1, 1e300, -1e300, DBL_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct tables *tables = make_example();
        make_samples(tables, 1024);
        struct ht_sample *sample = made_sample(tables, 2);
        sample->allocated_bytes_variance = sample->freed_bytes_variance = hostile[i];
        sample->allocated_blocks_variance = sample->freed_blocks_variance = hostile[i];
        sample->peak_bytes_variance = sample->peak_blocks_variance = hostile[i];
        made_cell(tables, 2)->peak_sequence = (uint32_t)tables->header.totals.peak_sequence;
        tables->header.totals.peak_bytes = 1u << 30;
        struct model *model = model_new(tables, NULL);
        assert_near(model->total_variances.live_bytes, 100 * (60 + 1));
        assert_near(model->total_variances.allocations, 100 + 1);
        assert_true(variances_error(model->total_variances.peak_bytes) < 1e4);
        assert_true(variances_error(hostile[i]) >= 0);
        model_free(model);
        tables_free(tables);
    }
}

static void missing_samples_are_zero(void **state) {
    (void)state;
    struct tables *tables = make_example();
    make_samples(tables, 1024);
    tables->region[HT_REGION_SAMPLES].count = 3;
    struct model *model = model_new(tables, NULL);
    assert_near(model->total_variances.live_blocks, 60 + 7);
    model_free(model);
    tables->region[HT_REGION_SAMPLES].count = 0;
    model = model_new(tables, NULL);
    assert_near(model->total_variances.live_blocks, 0);
    assert_int_equal(variances_sum_traced(tables).allocations, 0);
    model_free(model);
    tables_free(tables);
}

/* ---- details ---- */

static void births_of_other_units_add_up(void **state) {
    struct ht_detail a = {.age_shift = 20, .birth_blocks = {1, 2, 3, 4}, .birth_bytes = {10, 20, 30, 40}};
    struct ht_detail b = {.age_shift = 22, .birth_blocks = {5, UINT32_MAX}, .birth_bytes = {50, -60}};
    struct ht_detail none = {0}, sum = a;
    (void)state;
    details_add(&sum, &b);
    assert_int_equal(sum.age_shift, 22);
    assert_int_equal(sum.birth_blocks[0], 1 + 2 + 3 + 4 + 5);
    assert_int_equal((int32_t)sum.birth_blocks[1], -1);
    assert_int_equal(sum.birth_bytes[0], 150);
    assert_int_equal(sum.birth_bytes[1], -60);
    details_add(&b, &a);
    assert_memory_equal(b.birth_blocks, sum.birth_blocks, sizeof b.birth_blocks);
    details_add(&sum, &none);
    details_add(&none, &sum);
    assert_memory_equal(none.birth_bytes, sum.birth_bytes, sizeof none.birth_bytes);
    assert_int_equal(none.age_shift, 22);
}

/* What has no unit, or one that no writer comes to, says nothing, in whatever order it is added. */
static void births_without_a_unit_are_left_out(void **state) {
    static const uint32_t shifts[] = {0, 60, 64, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++)
        for (uint32_t odd = 1; odd <= 2; odd++) {
            struct tables *tables = make_example();
            *made_stack(tables, HT_STACK_FIRST + 1) = *made_stack(tables, HT_STACK_FIRST); /* one row */
            make_details(tables, 1);
            make_detail_figures(tables);
            uint32_t other = 3 - odd, live = made_detail(tables, other)->birth_blocks[other];
            made_detail(tables, odd)->age_shift = shifts[i];
            struct model *model = model_new(tables, NULL);
            uint64_t blocks = 0;
            for (size_t row = 0; row < model->stack_count; row++)
                for (uint32_t k = 0; k < HT_DETAIL_AGES; k++)
                    blocks += model->stacks[row].details->birth_blocks[k];
            assert_int_equal(model->stack_count, 2);
            assert_int_equal(blocks, live + made_detail(tables, 3)->birth_blocks[3]);
            assert_int_equal(model->total_details.age_shift, 20 + 3);
            model_free(model);
            tables_free(tables);
        }
}

static void no_event_is_later_than_clocks_go(void **state) {
    (void)state;
    struct tables *tables = make_example();
    make_details(tables, 1);
    made_detail(tables, 2)->last_ns = UINT64_MAX;
    struct model *model = model_new(tables, NULL);
    assert_int_equal(model->now_ns, INT64_MAX);
    model_free(model);
    tables->header.taken_monotonic_ns = UINT64_MAX;
    made_detail(tables, 2)->last_ns = 3;
    model = model_new(tables, NULL);
    assert_int_equal(model->now_ns, INT64_MAX);
    model_free(model);
    tables_free(tables);
}

static void details_add_up_and_have_a_peak(void **state) {
    (void)state;
    struct tables *tables = make_example();
    make_details(tables, 1);
    tables->header.totals.peak_bytes = 1u << 30;
    tables->header.totals.peak_sequence = 5;
    for (uint32_t i = 1; i <= 3; i++)
        *made_detail(tables, i) = (struct ht_detail){.temporaries = i,
                                                     .allocated_waste_bytes = 100 * i,
                                                     .freed_waste_bytes = 10 * i,
                                                     .peak_waste_bytes = 7,
                                                     .last_ns = 1000 * i,
                                                     .live_sizes = {[3] = UINT32_MAX - 1 + i}};
    made_cell(tables, 2)->peak_sequence = 5;
    struct model *model = model_new(tables, NULL);
    assert_int_equal(model->total_details.temporaries, 6);
    assert_int_equal(details_waste(&model->total_details), 540);
    assert_int_equal(model->total_details.peak_waste_bytes, 90 + 7 + 270);
    assert_int_equal(model->total_details.live_sizes[3], 0); /* -1, 0 and 1 */
    assert_int_equal(model->now_ns, 3000);
    model_free(model);
    tables->header.details_epoch_ns = 50;
    tables->header.taken_monotonic_ns = 9050;
    tables->header.totals.peak_bytes = 1; /* what lives now is more */
    model = model_new(tables, NULL);
    assert_int_equal(model->total_details.peak_waste_bytes, 540);
    assert_int_equal(model->now_ns, 9000);
    model_free(model);
    tables->region[HT_REGION_DETAILS].count = 2; /* a cell beyond has none */
    model = model_new(tables, NULL);
    assert_int_equal(model->total_details.temporaries, 1);
    model_free(model);
    tables->header.temporary_below = 0;
    model = model_new(tables, NULL);
    assert_null(model->stacks[0].details);
    model_free(model);
    tables_free(tables);
}

static void hostile_details_are_survived(void **state) {
    uint64_t seed = 17;
    (void)state;
    for (int i = 0; i < 300; i++) {
        struct tables *tables = make_example();
        make_details(tables, 1);
        for (uint32_t cell = 1; cell <= 3; cell++) {
            uint32_t *words = (uint32_t *)(void *)made_detail(tables, cell);
            for (size_t k = 0; k < sizeof(struct ht_detail) / sizeof *words; k++)
                words[k] = (uint32_t)((seed = seed * 6364136223846793005u + 1442695040888963407u) >> 33) * 2;
            made_detail(tables, cell)->age_shift = i < 200 ? (uint32_t)i : UINT32_MAX;
        }
        struct model *model = model_new(tables, NULL);
        assert_true(model->total_details.age_shift < 64);
        model_free(model);
        tables_free(tables);
    }
}

/* The bytes of an image: its record goes with the sequence of its cell. */
static void details_of_images_are_read(void **state) {
    (void)state;
    struct tables *made = make_example();
    make_details(made, 2);
    made_detail(made, 3)->reallocs = 77;
    made_cell(made, 3)->write_sequence = 7; /* its owner was killed */
    size_t size;
    void *bytes = make_image(made, &size);
    struct tables *read = image_freeze(bytes, size, true, "image", NULL);
    assert_non_null(read);
    assert_int_equal(read->header.temporary_below, 2);
    assert_int_equal(made_detail(read, 3)->reallocs, 77);
    assert_true(read->header.taken_monotonic_ns != 0);
    tables_free(read);
    tables_free(made);
    free(bytes);
}

/* A region without room may be said to lie anywhere: no address is made of that. */
static void details_without_room_are_none(void **state) {
    (void)state;
    struct tables *made = make_example();
    size_t size;
    char *bytes = make_image(made, &size);
    struct ht_region *region = &((struct ht_header *)(void *)bytes)->regions[HT_REGION_DETAILS];
    region->capacity_bytes = 0;
    region->offset = (uint64_t)1 << 63;
    struct tables *read = image_freeze(bytes, size, false, "image", NULL);
    assert_non_null(read);
    assert_int_equal(read->region[HT_REGION_DETAILS].count, 0);
    tables_free(read);
    tables_free(made);
    free(bytes);
}

static void buckets_have_bounds(void **state) {
    (void)state;
    assert_int_equal(details_bounds(0, 32).from, 0);
    assert_int_equal(details_bounds(0, 32).below, 1);
    assert_int_equal(details_bounds(5, 32).from, 16);
    assert_int_equal(details_bounds(5, 32).below, 32);
    assert_int_equal(details_bounds(31, 32).from, 1 << 30);
    assert_int_equal(details_bounds(31, 32).below, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_is_read),
        cmocka_unit_test(an_odd_sequence_does_not_hang),
        cmocka_unit_test(what_is_not_committed_is_not_read),
        cmocka_unit_test(every_truncation_of_an_image_is_an_error),
        cmocka_unit_test(random_images_are_survived),
        cmocka_unit_test(a_file_that_is_cut_is_an_error),
        cmocka_unit_test(cells_and_equal_hashes_add_up),
        cmocka_unit_test(frees_by_another_thread_cancel),
        cmocka_unit_test(the_peak_is_kept_or_live_or_now),
        cmocka_unit_test(variances_add_up),
        cmocka_unit_test(variances_of_the_peak_are_those_of_its_cells),
        cmocka_unit_test(hostile_variances_are_zero),
        cmocka_unit_test(missing_samples_are_zero),
        cmocka_unit_test(births_of_other_units_add_up),
        cmocka_unit_test(births_without_a_unit_are_left_out),
        cmocka_unit_test(no_event_is_later_than_clocks_go),
        cmocka_unit_test(details_add_up_and_have_a_peak),
        cmocka_unit_test(hostile_details_are_survived),
        cmocka_unit_test(details_of_images_are_read),
        cmocka_unit_test(details_without_room_are_none),
        cmocka_unit_test(buckets_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
