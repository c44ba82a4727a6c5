/* early_and_late.c - allocations before main and after exit() began: constructors, an IFUNC resolver's
 * neighbour, exit handlers that register others, destructors, and a thread that does not stop for any of it.
 */
#define _GNU_SOURCE
#include "tally.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

static int twice(int x) {
    return 2 * x;
}

/* Runs while the loader relocates: it may call nothing, but what is behind it is resolved at the same time.
 */
__attribute__((used)) static int (*choose(void))(int) {
    return twice;
}
int chosen(int x) __attribute__((ifunc("choose")));

static void *early;

__attribute__((constructor(102))) static void before_main(void) {
    early = TAKE(malloc((size_t)chosen(50)), 100);
}

static void later(void) {
    free(DROP(TAKE(malloc(61), 61)));
    TAKE(malloc(62), 62);
}

static void late(void) {
    free(DROP(early));
    early = TAKE(strcpy(malloc(63), "late"), 63);
    CHECK(atexit(later) == 0);
}

__attribute__((destructor(102))) static void last(void) {
    TAKE(realloc(DROP(early), 64), 64);
}

static void *restless(void *argument) {
    for (;;)
        free(malloc(100)); /* in no ledger: it ends when the process does */
    return argument;
}

int main(int argc, char **argv) {
    pthread_t id;
    CHECK(atexit(late) == 0);
    if (argc > 1 && strcmp(argv[1], "restless") == 0) {
        tally_note("slack 2"); /* its last one */
        tally_note("others");
        CHECK(pthread_create(&id, NULL, restless, NULL) == 0);
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
    say("main ends\n");
    return 0;
}
