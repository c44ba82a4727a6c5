/* tls_destructors.c - threads whose destructors of thread-specific data allocate, free and ask to be called
 * again, after the C++ destructors and with all else of the thread gone. */
#include "tally.h"

#include <pthread.h>
#include <stdint.h>

enum { THREADS = 40, ROUNDS = 4 /* PTHREAD_DESTRUCTOR_ITERATIONS */ };

static pthread_key_t keys[3];
static int calls;

static void at_end(void *block) {
    free(DROP(block));
    void *more = TAKE(calloc(1, 77), 77);
    if (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % 2 == 0)
        free(DROP(more));
    else
        pthread_setspecific(keys[0], more); /* again, in the next round */
}

static void *live(void *argument) {
    for (int i = 0; i < 3; i++)
        pthread_setspecific(keys[i], TAKE(malloc(32), 32));
    return argument;
}

int main(void) {
    for (int i = 0; i < 3; i++)
        CHECK(pthread_key_create(&keys[i], at_end) == 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_t id;
        CHECK(pthread_create(&id, NULL, live, NULL) == 0);
        CHECK(pthread_join(id, NULL) == 0);
    }
    CHECK(calls > 3 * THREADS);
    say("all destructors ran\n");
    return 0;
}
