/* test_frames.c - a run of frames is stored once, and only what is equal shares it. */
#include "support.h"

#include "image/frames.h"
#include "image/image.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 200u

static uint64_t used(void) {
    return image_header->regions[HT_REGION_FRAMES].used_records;
}

static bool stands_at(uint32_t first, const struct stack_frame *run, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t frame = image_frames[first + i];
        const struct ht_pc *pc = &image_pcs[frame & HT_FRAME_PC];
        bool exact = (run[i].pc & STACK_EXACT) != 0;
        if (pc->pc != (run[i].pc & ~STACK_EXACT) || pc->salt != run[i].salt ||
            ((frame & HT_FRAME_EXACT) != 0) != exact)
            return false;
    }
    return true;
}

static struct stack_frame *make_run(struct stack_frame *run, uint64_t from, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        run[i] = (struct stack_frame){.pc = 0x400000 + from + 16 * (uint64_t)i};
    return run;
}

static void stores_a_run_once(void **state) {
    (void)state;
    struct stack_frame run[LONGEST];
    for (uint32_t count = 1; count <= LONGEST; count++) {
        make_run(run, count * UINT64_C(0x10000), count);
        uint64_t before = used();
        uint32_t first = frames_store(run, count);
        assert_true(first != 0 && stands_at(first, run, count));
        assert_int_equal(used(), before + count);
        assert_int_equal(frames_store(run, count), first);
        assert_int_equal(used(), before + count);
    }
}

static void tells_runs_apart(void **state) {
    (void)state;
    struct stack_frame run[8], other[8];
    uint32_t first = frames_store(make_run(run, 0x9000000, 8), 8);
    for (uint32_t i = 0; i < 8; i++) {
        make_run(other, 0x9000000, 8)[i].pc |= STACK_EXACT;
        uint32_t exact = frames_store(other, 8);
        assert_true(exact != first && stands_at(exact, other, 8));
        make_run(other, 0x9000000, 8)[i].salt = 1;
        uint32_t reused = frames_store(other, 8);
        assert_true(reused != first && stands_at(reused, other, 8));
        make_run(other, 0x9000000, 8)[i].pc++;
        uint32_t elsewhere = frames_store(other, 8);
        assert_true(elsewhere != first && stands_at(elsewhere, other, 8));
    }
    assert_true(stands_at(first, run, 8));
}

/* Those that meet in the table, too: far more runs than it has places. */
static void keeps_runs_that_meet(void **state) {
    (void)state;
    static uint32_t firsts[SCALED(100000)];
    struct stack_frame run[3];
    uint64_t before = used();
    for (uint32_t i = 0; i < SCALED(100000); i++)
        firsts[i] =
            frames_store(make_run(run, 0x10000000 + 16 * (uint64_t)(i % 997) + i / 997 * 0x100000, 3), 3);
    for (uint32_t i = 0; i < SCALED(100000); i++)
        assert_true(stands_at(
            firsts[i], make_run(run, 0x10000000 + 16 * (uint64_t)(i % 997) + i / 997 * 0x100000, 3), 3));
    assert_int_equal(used(), before + 3 * SCALED(100000));
}

/* The address 0 is PC 0's, too: a run that ends in it meets one that stands before what is reserved. The two
 * meet in the table only now and then. */
static void takes_no_frame_that_is_being_written(void **state) {
    (void)state;
    struct stack_frame run[2];
    memset(run, 0, sizeof run);
    for (uint32_t i = 0; i < SCALED(200000); i++) {
        run[0].pc = UINT64_C(0x600000000) + i;
        uint32_t first = frames_store(run, 1);
        assert_int_equal(image_take(HT_REGION_FRAMES, 1), first + 1);
        assert_int_not_equal(frames_store(run, 2), first);
    }
}

/* ---- threads that store the same runs, which others are writing ---- */

#define THREADS 4
#define RUNS    SCALED(100000)

static uint32_t stored[THREADS][RUNS];
static pthread_barrier_t start;

static struct stack_frame *shared_run(struct stack_frame *run, uint32_t i) {
    uint64_t seed = i % 64;
    for (uint32_t at = 0; at < 16; at++)
        run[at] = (struct stack_frame){.pc = 0x50000000 + 16 * random_below(&seed, 1000) + i / 64};
    return run;
}

static void *store_all(void *argument) {
    uint32_t *ids = argument;
    struct stack_frame run[16];
    pthread_barrier_wait(&start);
    for (uint32_t i = 0; i < RUNS; i++)
        ids[i] = frames_store(shared_run(run, i), 1 + i % 16);
    return NULL;
}

static void serves_threads(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    struct stack_frame run[16];
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, store_all, stored[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < RUNS; i++)
        for (int t = 0; t < THREADS; t++)
            assert_true(stored[t][i] != 0 && stands_at(stored[t][i], shared_run(run, i), 1 + i % 16));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_a_run_once),
        cmocka_unit_test(tells_runs_apart),
        cmocka_unit_test(keeps_runs_that_meet),
        cmocka_unit_test(serves_threads),
        cmocka_unit_test(takes_no_frame_that_is_being_written),
    };
    return cmocka_run_group_tests(tests, setup_image, NULL);
}
