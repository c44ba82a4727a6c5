/* threads.c - four threads that allocate and free each other's blocks, and main that frees the rest. */
#include "ledger.h"

#include <pthread.h>
#include <stdint.h>

enum { THREADS = 4, BLOCKS_EACH = 2000 };

static void *blocks[THREADS][BLOCKS_EACH];
static pthread_barrier_t barrier;

static void *work(void *argument) {
    uintptr_t self = (uintptr_t)argument, other = (self + 1) % THREADS;
    for (size_t i = 0; i < BLOCKS_EACH; i++)
        blocks[self][i] = GOT(malloc(i % 700), i % 700);
    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < BLOCKS_EACH; i += 2)
        free(GONE(blocks[other][i]));
    void *own = GOT(calloc(1, 10 + self), 10 + self);
    (void)own;
    return NULL;
}

int main(void) {
    pthread_t ids[THREADS];
    ledger_threads();
    ledger_foreign("ld-linux-x86-64.so.2"); /* thread control blocks and their vectors */
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&ids[i], NULL, work, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(ids[i], NULL) == 0);
    for (size_t i = 1; i < BLOCKS_EACH; i += 4)
        free(GONE(blocks[0][i]));
    return 0;
}
