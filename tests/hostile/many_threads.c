/* many_threads.c - five hundred threads at once, each of which allocates a little: what the tracer keeps for
 * one that lives is bounded, and is not touched before it is needed. */
#include "resident.h"
#include "tally.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { THREADS = 500, BLOCKS = 3, STACK_BYTES = 256 << 10, PAGES_EACH = 30 };

static pthread_barrier_t all_have, all_may_end;

static void *live(void *argument) {
    void *blocks[BLOCKS];
    (void)argument;
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = TAKE(malloc(100 + i), 100 + i);
    pthread_barrier_wait(&all_have);
    pthread_barrier_wait(&all_may_end);
    for (size_t i = 0; i < BLOCKS; i++)
        free(DROP(blocks[i]));
    return NULL;
}

int main(void) {
    static pthread_t ids[THREADS];
    pthread_attr_t small;
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* pages are what is counted */
    CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, STACK_BYTES) == 0);
    CHECK(pthread_barrier_init(&all_have, NULL, THREADS + 1) == 0);
    CHECK(pthread_barrier_init(&all_may_end, NULL, THREADS + 1) == 0);
    long before = resident_bytes();
    CHECK(before > 0);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&ids[i], &small, live, NULL) == 0);
    pthread_barrier_wait(&all_have);
    long each = (resident_bytes() - before) / THREADS;
    pthread_barrier_wait(&all_may_end);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_join(ids[i], NULL) == 0);
    CHECK(each < PAGES_EACH * sysconf(_SC_PAGESIZE));
    say("five hundred threads\n");
    return 0;
}
