/* self_unwind.c - a program that walks its own stack by what libgcc offers, while it allocates, in a signal
 * handler, and from inside of an allocator's call-back, where the tracer has frames on the stack too. It
 * finds what it finds without the tracer: ours is not on the stack when nobody allocates. */
#define _GNU_SOURCE
#include "tally.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <unwind.h>

static volatile int frames;

static _Unwind_Reason_Code count(struct _Unwind_Context *context, void *argument) {
    (void)context;
    ++*(int *)argument;
    return _URC_NO_REASON;
}

static int walk(void) {
    int found = 0;
    _Unwind_Backtrace(count, &found);
    return found;
}

static void handle(int number) {
    (void)number;
    frames = walk();
    free(DROP(TAKE(malloc(45), 45)));
}

static __attribute__((noinline)) int deep(int depth) {
    int found = depth > 0 ? deep(depth - 1) : walk();
    free(DROP(TAKE(malloc(64), 64)));
    return found;
}

int main(void) {
    struct sigaction action = {.sa_handler = handle};
    void *addresses[64];
    int before = deep(0);
    printf("%d more frames\n", deep(30) - before);
    printf("backtrace %d\n", backtrace(addresses, 64) - walk());
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        CHECK(raise(SIGUSR1) == 0);
        free(DROP(TAKE(malloc(55), 55)));
    }
    printf("%d frames in a handler\n", frames - before);
    return 0;
}
