/* test_tracing.c - start, stop and clear racing with events, in the library's own objects: for
 * ThreadSanitizer too. */
#define _GNU_SOURCE
#include "support.h"

#include "blocks.h"
#include "image/cells.h"
#include "image/counters.h"
#include "image/image.h"
#include "track.h"
#include "tracing.h"
#include "unwind/unwind.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define WORKERS 4
#define BLOCKS  64
#define SECONDS 3
#define DOMAIN  7u

static atomic_bool done;
static atomic_ulong events;

/* Stands for an interposed malloc: blocks are numbers. */
static __attribute__((noinline)) void allocate(uintptr_t address, size_t bytes) {
    track_allocated((void *)address, bytes, CALLER_HERE);
}

static __attribute__((noinline)) int track(uintptr_t address, size_t bytes) {
    return tracing_track(DOMAIN, address, bytes, CALLER_HERE);
}

static size_t current(void) {
    size_t now, peak;
    tracing_memory(&now, &peak);
    return now;
}

static void *work(void *number) {
    uint64_t state = (uint64_t)(uintptr_t)number + 1;
    uintptr_t base = ((uintptr_t)number + 1) << 32;
    bool there[BLOCKS] = {false};
    while (!atomic_load(&done)) {
        uint64_t at = random_below(&state, BLOCKS);
        uintptr_t address = base + at * 1024;
        struct heaptally_scope scope;
        void *pcs[4];
        switch (random_below(&state, 8)) {
        case 0: track(address, random_below(&state, 1000)); break;
        case 1: tracing_untrack(DOMAIN, address); break;
        case 2: tracing_traceback((void *)address, pcs, 4); break;
        case 3: {
            int begun = tracing_scope_begin("scope");
            tracing_scope("scope", &scope);
            if (begun != HEAPTALLY_NOT_TRACING)
                tracing_scope_end();
            break;
        }
        default:
            if (there[at])
                track_freed((void *)address);
            else
                allocate(address, random_below(&state, 800));
            there[at] = !there[at];
        }
        atomic_fetch_add(&events, 1);
    }
    for (uint64_t at = 0; at < BLOCKS; at++)
        if (there[at])
            track_freed((void *)(base + at * 1024));
    return NULL;
}

static void *change(void *number) {
    uint64_t state = (uint64_t)(uintptr_t)number + 100;
    while (!atomic_load(&done))
        switch (random_below(&state, 5)) {
        case 0: tracing_stop(); break;
        case 1:
            CHECK(tracing_start((unsigned)(1 + random_below(&state, 30))) != HEAPTALLY_NOT_TRACING);
            break;
        case 2: tracing_clear(); break;
        case 3: tracing_reset_peak(); break;
        default: current(); break;
        }
    return NULL;
}

static void races_with_events(void **state) {
    (void)state;
    pthread_t threads[WORKERS + 2];
    struct timespec wait = {.tv_sec = SECONDS};
    for (uintptr_t i = 0; i < WORKERS + 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < WORKERS ? work : change, (void *)i), 0);
    nanosleep(&wait, NULL);
    atomic_store(&done, true);
    for (int i = 0; i < WORKERS + 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failed_checks(), 0);
    assert_true(atomic_load(&events) > 1000);
    assert_int_equal(tracing_stop(), 0);
    assert_int_equal(current(), 0);
    assert_int_equal(tracing_start(12), 0);
    assert_int_equal(image_header->nframe, 12);
    allocate(0x10000000, 5000);
    assert_int_equal(current(), 5000);
    track_freed((void *)0x10000000);
    assert_int_equal(current(), 0);
}

static uint64_t cells_in_use(void) {
    uint64_t count = 0;
    for (uint64_t i = 1; i < image_header->regions[HT_REGION_CELLS].used_records; i++)
        count += image_cells[i].stack != HT_STACK_NONE;
    return count;
}

static void a_clear_leaves_nothing(void **state) {
    (void)state;
    uint64_t clears = image_header->clears;
    allocate(0x20000000, 100);
    assert_true(cells_in_use() > 0);
    assert_int_equal(tracing_clear(), 0);
    assert_int_equal(cells_in_use(), 0);
    assert_int_equal(image_header->clears, clears + 1);
    track_freed((void *)0x20000000);
    assert_int_equal(current(), 0);
}

static void the_number_of_frames_is_checked(void **state) {
    (void)state;
    tracing_stop();
    assert_int_equal(tracing_start(0), HEAPTALLY_FAILED);
    assert_int_equal(tracing_start(65536), HEAPTALLY_FAILED);
    assert_false(tracing_is_active());
    assert_int_equal(image_header->stopped, 1);
    assert_int_equal(tracing_start(65535), 0);
    assert_int_equal(image_header->stopped, 0);
}

static int begin(void **state) {
    (void)state;
    setenv("HEAPTALLY_DIR", test_directory(), 1);
    setenv("HEAPTALLY_NFRAME", "16", 1);
    track_begin();
    return track_ready() ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clear_leaves_nothing),
        cmocka_unit_test(the_number_of_frames_is_checked),
        cmocka_unit_test(races_with_events),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
