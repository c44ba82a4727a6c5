/* overflow.c - a stack that overflows while it allocates, in the program or in the tracer, whose fault the
 * program handles on another stack and jumps out of. It happens again and again. */
#define _GNU_SOURCE
#include "tally.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

enum { OVERFLOWS = 30 };

static sigjmp_buf out;
static volatile int overflows;

static void handle(int number) {
    (void)number;
    siglongjmp(out, 1);
}

/* Not in the ledger: the fault may come between the allocation and its entry. */
static __attribute__((noinline)) int descend(int depth) {
    volatile char here[200];
    here[0] = (char)depth;
    free(malloc(16 + (size_t)depth % 100));
    return here[0] == 0 && depth % 256 != 0 ? 0 : descend(depth + 1) + here[0];
}

static void *work(void *argument) {
    static char stack[65536];
    stack_t ours = {.ss_sp = stack, .ss_size = sizeof stack};
    CHECK(sigaltstack(&ours, NULL) == 0);
    while (overflows < OVERFLOWS) {
        overflows++;
        if (sigsetjmp(out, 1) == 0)
            descend(overflows);
        free(DROP(TAKE(malloc(30), 30)));
    }
    return argument;
}

int main(void) {
    pthread_attr_t small;
    pthread_t id;
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
    tally_note("slack 60");
    tally_note("others");
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 128 << 10) == 0);
    CHECK(pthread_create(&id, &small, work, NULL) == 0 && pthread_join(id, NULL) == 0);
    say("survived its overflows\n");
    return 0;
}
