/* many_threads.c - 2,000 short threads, one after another in pairs; blocks outlive the threads that made
 * them. */
#include "ledger.h"

#include <pthread.h>
#include <stdint.h>

enum { PAIRS = 1000 };

static void *left_behind[2 * PAIRS];

static void *work(void *argument) {
    uintptr_t self = (uintptr_t)argument;
    void *scratch = GOT(malloc(500), 500);
    left_behind[self] = GOT(malloc(32), 32);
    free(GONE(scratch));
    return NULL;
}

int main(void) {
    ledger_threads();
    ledger_foreign("ld-linux-x86-64.so.2");
    for (uintptr_t i = 0; i < PAIRS; i++) {
        pthread_t ids[2];
        for (uintptr_t k = 0; k < 2; k++)
            CHECK(pthread_create(&ids[k], NULL, work, (void *)(2 * i + k)) == 0);
        for (int k = 0; k < 2; k++)
            CHECK(pthread_join(ids[k], NULL) == 0);
        free(GONE(left_behind[2 * i]));
    }
    return 0;
}
