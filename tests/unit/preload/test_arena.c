/* test_arena.c - the tracer's private memory. */
#include "support.h"

#include "platform/arena.h"

#include <pthread.h>
#include <string.h>

#define THREADS 4
#define TAKES   SCALED(20000)

static uint64_t metered;

static bool is_zero(const unsigned char *at, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != 0)
            return false;
    return true;
}

static void takes_zeroed_lines(void **state) {
    (void)state;
    uint64_t seed = 3, sum = 0;
    for (int i = 0; i < 2000; i++) {
        size_t bytes = 1 + random_below(&seed, i % 50 == 0 ? 300000 : 1000);
        unsigned char *at = arena_take(bytes);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % 64, 0);
        assert_true(is_zero(at, bytes));
        memset(at, 0xff, bytes);
        sum += bytes;
    }
    assert_true(metered >= sum);
}

static void maps_pages(void **state) {
    (void)state;
    uint64_t before = metered;
    char *at = arena_map((size_t)1 << 30);
    assert_non_null(at);
    assert_int_equal((uintptr_t)at % 4096, 0);
    at[0] = at[((size_t)1 << 30) - 1] = 1;
    assert_true(metered == before + ((uint64_t)1 << 30));
    assert_null(arena_map((size_t)1 << 60));
    assert_null(arena_take((size_t)1 << 60));
}

/* Every take is marked by its owner; a byte that was handed out twice shows another mark. */
static void *take_many(void *argument) {
    static uint32_t *taken[THREADS][TAKES];
    uint64_t thread = *(uint64_t *)argument, seed = thread + 10;
    for (uint32_t i = 0; i < TAKES; i++) {
        uint32_t words = 1 + (uint32_t)random_below(&seed, 60);
        uint32_t *at = arena_take(words * sizeof *at);
        if (!CHECK(at != NULL && is_zero((void *)at, words * sizeof *at)))
            return NULL;
        for (uint32_t w = 0; w < words; w++)
            at[w] = (uint32_t)thread << 24 | i;
        taken[thread][i] = at;
    }
    for (uint32_t i = 0; i < TAKES; i++)
        CHECK(*taken[thread][i] == ((uint32_t)thread << 24 | i));
    return NULL;
}

static void hands_out_once_to_threads(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    uint64_t numbers[THREADS];
    for (uint64_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failed_checks(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_zeroed_lines),
        cmocka_unit_test(maps_pages),
        cmocka_unit_test(hands_out_once_to_threads),
    };
    arena_meter(&metered);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
