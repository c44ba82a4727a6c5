/* talks_race.c - threads allocate, free, track, open scopes, ask and take snapshots, while others start, stop
 * and clear, for some seconds. Then all is stopped and started again, and figures must be exact.
 *
 *     talks_race SECONDS */
#define _GNU_SOURCE
#include "talks.h"

#include "heaptally.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define WORKERS 6
#define BLOCKS  200

static atomic_bool done;
static atomic_ulong events, changes;

static unsigned next(unsigned *state) {
    return *state = *state * 1103515245 + 12345;
}

static void work_once(unsigned *state, void **blocks, uintptr_t base) {
    struct heaptally_scope scope;
    void *pcs[4];
    size_t at = next(state) >> 8 & 0xff, bytes = next(state) >> 8 & 0x3ff;
    at %= BLOCKS;
    switch (next(state) >> 16 & 7) {
    case 0: blocks[at] = realloc(blocks[at], bytes + 1); break;
    case 1: {
        int begun = heaptally_scope_begin((next(state) & 0x10000) != 0 ? "one" : "two");
        free(blocks[at]);
        blocks[at] = malloc(bytes);
        if (begun != HEAPTALLY_NOT_TRACING)
            heaptally_scope_end();
        break;
    }
    case 2: heaptally_track(7, base + at, bytes); break;
    case 3: heaptally_untrack(7, base + at); break;
    case 4: heaptally_get_block_traceback(blocks[at], pcs, 4); break;
    case 5: heaptally_get_scope("one", &scope); break;
    default:
        free(blocks[at]);
        blocks[at] = malloc(bytes);
        break;
    }
    atomic_fetch_add_explicit(&events, 1, memory_order_relaxed);
}

static void *work(void *number) {
    unsigned state = (unsigned)(uintptr_t)number + 1;
    void *blocks[BLOCKS] = {NULL};
    while (!atomic_load_explicit(&done, memory_order_relaxed))
        work_once(&state, blocks, (uintptr_t)number << 32);
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    return NULL;
}

static void *change(void *number) {
    unsigned state = (unsigned)(uintptr_t)number + 100;
    size_t current, peak;
    while (!atomic_load_explicit(&done, memory_order_relaxed)) {
        switch (next(&state) >> 16 & 7) {
        case 0: heaptally_stop(); break;
        case 1:
        case 2:
            EXPECT(heaptally_start(1 + (next(&state) >> 16) % 40) != HEAPTALLY_NOT_TRACING);
            break; /* or busy */
        case 3: heaptally_clear_traces(); break;
        case 4: heaptally_reset_peak(); break;
        case 5: heaptally_get_traced_memory(&current, &peak); break;
        default: sched_yield(); break;
        }
        atomic_fetch_add_explicit(&changes, 1, memory_order_relaxed);
    }
    return NULL;
}

static void fork_one(void) {
    pid_t child = fork();
    if (child == 0) {
        size_t current, peak;
        EXPECT_EQUAL(heaptally_start(5), 0);
        EXPECT_EQUAL(heaptally_clear_traces(), 0);
        heaptally_get_traced_memory(&current, &peak);
        EXPECT_EQUAL(current, 0);
        EXPECT_EQUAL(peak, 0);
        free(malloc(100));
        heaptally_get_traced_memory(&current, &peak);
        EXPECT_EQUAL(current, 0);
        EXPECT_EQUAL(peak, 100);
        _exit(0);
    }
    int status = -1;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    EXPECT_EQUAL(status, 0);
}

int main(int count, char **arguments) {
    pthread_t threads[WORKERS + 2];
    int seconds = count > 1 ? atoi(arguments[1]) : 10;
    for (uintptr_t i = 0; i < WORKERS + 2; i++)
        EXPECT_EQUAL(pthread_create(&threads[i], NULL, i < WORKERS ? work : change, (void *)i), 0);
    for (int i = 0; i < seconds * 2; i++) {
        struct timespec half = {.tv_nsec = 500000000};
        nanosleep(&half, NULL);
        if (i % 2 == 0)
            for (int k = 0; k < 20; k++)
                fork_one();
        else
            heaptally_snapshot("racing");
    }
    atomic_store(&done, 1);
    for (int i = 0; i < WORKERS + 2; i++)
        pthread_join(threads[i], NULL);
    EXPECT(atomic_load(&events) > 1000 && atomic_load(&changes) > 100);

    size_t current, peak;
    heaptally_stop();
    EXPECT_EQUAL(heaptally_start(16), 0);
    void *block = malloc(64 << 20);
    heaptally_get_traced_memory(&current, &peak);
    EXPECT_EQUAL(current, 64 << 20);
    free(block);
    heaptally_get_traced_memory(&current, &peak);
    EXPECT_EQUAL(current, 0);
    EXPECT(peak >= 62 << 20 && peak <= 66 << 20); /* there were several threads */
    dprintf(STDOUT_FILENO, "%lu events, %lu changes\n", atomic_load(&events), atomic_load(&changes));
    return 0;
}
