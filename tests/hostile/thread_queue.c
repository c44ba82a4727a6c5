/* thread_queue.c - twenty threads that stay, and two thousand one after the other: each of these could have
 * the slot of the one before it, so that they take no more room than a few do. */
#include "tally.h"

#include <pthread.h>
#include <stdint.h>

enum { STAYING = 20, BRIEF = 2000 };

static pthread_barrier_t all_there, all_done;

static void allocate(void) {
    for (size_t i = 0; i < 3; i++)
        free(DROP(TAKE(malloc(100 + i), 100 + i)));
}

static void *stay(void *unused) {
    allocate();
    pthread_barrier_wait(&all_there);
    pthread_barrier_wait(&all_done);
    return unused;
}

static void *come_and_go(void *unused) {
    allocate();
    return unused;
}

int main(void) {
    pthread_t staying[STAYING], brief;
    tally_note("slots 40");
    CHECK(pthread_barrier_init(&all_there, NULL, STAYING + 1) == 0);
    CHECK(pthread_barrier_init(&all_done, NULL, STAYING + 1) == 0);
    for (int i = 0; i < STAYING; i++)
        CHECK(pthread_create(&staying[i], NULL, stay, NULL) == 0);
    pthread_barrier_wait(&all_there);
    for (int i = 0; i < BRIEF; i++) {
        CHECK(pthread_create(&brief, NULL, come_and_go, NULL) == 0);
        CHECK(pthread_join(brief, NULL) == 0);
    }
    pthread_barrier_wait(&all_done);
    for (int i = 0; i < STAYING; i++)
        CHECK(pthread_join(staying[i], NULL) == 0);
    say("two thousand threads\n");
    return 0;
}
