/* newborn.c - each of many threads is interrupted while it allocates for the first time, which is when the
 * tracer makes room for it, by a handler that allocates too: some times, fewer than a thread can put off.
 * They all stay, so that none can have the room of another. */
#define _GNU_SOURCE
#include "tally.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

enum { THREADS = 400, SIGNALS = 12 };

static int born, grown;                                 /* (atomic) */
static pthread_mutex_t end = PTHREAD_MUTEX_INITIALIZER; /* held by main until all are there */

static void handle(int number) {
    (void)number;
    free(DROP(TAKE(malloc(40), 40)));
}

static void *live(void *argument) {
    __atomic_fetch_add(&born, 1, __ATOMIC_RELEASE);
    free(DROP(TAKE(malloc(30), 30)));
    __atomic_fetch_add(&grown, 1, __ATOMIC_RELEASE);
    CHECK(pthread_mutex_lock(&end) == 0 && pthread_mutex_unlock(&end) == 0);
    return argument;
}

/* Interrupts the youngest until it is grown. */
static void disturb(pthread_t youngest, int before) {
    while (__atomic_load_n(&born, __ATOMIC_ACQUIRE) == before)
        sched_yield();
    for (int n = 0; n < SIGNALS && __atomic_load_n(&grown, __ATOMIC_ACQUIRE) == before; n++)
        CHECK(pthread_kill(youngest, SIGPROF) == 0);
    while (__atomic_load_n(&grown, __ATOMIC_ACQUIRE) == before)
        sched_yield();
}

int main(void) {
    static pthread_t ids[THREADS];
    const struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    pthread_attr_t attributes;
    tally_note("unattributed");
    CHECK(sigaction(SIGPROF, &action, NULL) == 0);
    CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 65536) == 0);
    CHECK(pthread_mutex_lock(&end) == 0);
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&ids[i], &attributes, live, NULL) == 0);
        disturb(ids[i], i);
    }
    CHECK(pthread_mutex_unlock(&end) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(ids[i], NULL) == 0);
    say("all are grown\n");
    return 0;
}
