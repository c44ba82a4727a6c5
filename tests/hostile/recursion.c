/* recursion.c - a million frames, with an allocation at the bottom and at a few places on the way. */
#include "tally.h"

#include <pthread.h>

enum { DEPTH = 1000000 };

static void *blocks[16];

static __attribute__((noinline)) int descend(int depth) {
    volatile int here = depth;
    if (depth % 100000 == 0)
        blocks[depth / 100000] = TAKE(malloc(500), 500);
    int below = depth == 0 ? 0 : descend(depth - 1);
    return below + (here == depth);
}

static void *work(void *argument) {
    CHECK(descend(DEPTH) == DEPTH + 1);
    for (int i = 0; i <= 10; i += 2)
        free(DROP(blocks[i]));
    return argument;
}

int main(void) {
    pthread_attr_t large;
    pthread_t id;
    CHECK(pthread_attr_init(&large) == 0 && pthread_attr_setstacksize(&large, (size_t)512 << 20) == 0);
    CHECK(pthread_create(&id, &large, work, NULL) == 0 && pthread_join(id, NULL) == 0);
    say("a million frames\n");
    return 0;
}
