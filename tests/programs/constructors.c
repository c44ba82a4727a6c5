/* constructors.c - blocks made before main and after it: constructors, atexit handlers, destructors. */
#include "ledger.h"

static void *early, *handed_over;

__attribute__((constructor(101))) static void first(void) {
    early = GOT(malloc(111), 111);
}

__attribute__((constructor)) static void second(void) {
    handed_over = GOT(malloc(222), 222);
}

static void at_exit(void) {
    void *late = GOT(malloc(333), 333);
    free(GONE(handed_over));
    (void)late;
}

__attribute__((destructor)) static void after(void) {
    void *last = GOT(calloc(1, 444), 444);
    free(GONE(early));
    (void)last;
}

int main(void) {
    CHECK(atexit(at_exit) == 0);
    return 0;
}
