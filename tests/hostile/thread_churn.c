/* thread_churn.c - a thousand threads, fifty at a time, each frees what one before it has allocated. */
#include "tally.h"

#include <pthread.h>
#include <stdint.h>

enum { WAVES = 20, AT_ONCE = 50 };

static void *left[AT_ONCE];

static void *live(void *argument) {
    uintptr_t self = (uintptr_t)argument;
    for (size_t i = 0; i < 10; i++)
        free(DROP(TAKE(malloc(100 + i), 100 + i)));
    free(DROP(left[self]));
    left[self] = TAKE(malloc(50 + self), 50 + self);
    return NULL;
}

int main(void) {
    for (int wave = 0; wave < WAVES; wave++) {
        pthread_t ids[AT_ONCE];
        for (uintptr_t i = 0; i < AT_ONCE; i++)
            CHECK(pthread_create(&ids[i], NULL, live, (void *)i) == 0);
        for (int i = 0; i < AT_ONCE; i++)
            CHECK(pthread_join(ids[i], NULL) == 0);
    }
    say("a thousand threads\n");
    return 0;
}
