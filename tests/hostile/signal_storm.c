/* signal_storm.c normal|alternate - threads that allocate, each interrupted a thousand times a second by a
 * handler that allocates too: inside malloc, and inside the tracer. */
#define _GNU_SOURCE
#include "tally.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 3, SIGNALS = 1500, KEPT = 16 };

static __thread void *kept[KEPT];
static volatile int handled, stop;
static int alternate;

static void handle(int number) {
    (void)number;
    int at = __atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED) % KEPT;
    free(DROP(kept[at]));
    kept[at] = TAKE(malloc(40), 40);
    free(DROP(TAKE(calloc(1, 50), 50)));
}

static timer_t start_storm(void) {
    timer_t timer;
    struct itimerspec millisecond = {{0, 1000000}, {0, 1000000}};
    struct sigevent to_me = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
    to_me._sigev_un._tid = gettid();
    CHECK(timer_create(CLOCK_MONOTONIC, &to_me, &timer) == 0);
    CHECK(timer_settime(timer, 0, &millisecond, NULL) == 0);
    return timer;
}

static void *work(void *argument) {
    static __thread char stack[65536];
    stack_t ours = {.ss_sp = stack, .ss_size = sizeof stack};
    if (alternate)
        CHECK(sigaltstack(&ours, NULL) == 0);
    timer_t timer = start_storm();
    for (uintptr_t i = (uintptr_t)argument; !stop; i++) {
        void *p = TAKE(malloc(16 + i % 300), 16 + i % 300);
        p = TAKE(realloc(DROP(p), 400), 400);
        free(DROP(p));
        if (i % 16 == 0) /* the allocator gives nothing back: as many signals, fewer blocks */
            nanosleep(&(struct timespec){0, 10000}, NULL);
    }
    CHECK(timer_delete(timer) == 0);
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t ids[THREADS];
    alternate = argc > 1 && strcmp(argv[1], "alternate") == 0;
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART | (alternate ? SA_ONSTACK : 0)};
    tally_note("unattributed");
    CHECK(sigaction(SIGPROF, &action, NULL) == 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&ids[i], NULL, work, (void *)i) == 0);
    while (handled < SIGNALS)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    stop = 1;
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(ids[i], NULL) == 0);
    say("the storm is over\n");
    return 0;
}
