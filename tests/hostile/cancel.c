/* cancel.c - threads that are cancelled: at system calls, with clean-up that allocates, and at any
 * instruction, inside malloc and the tracer too (the allocator is one that allows it). What the cancelled
 * were doing may be counted or not. */
#include "tally.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 60 };

static void clean_up(void *block) {
    free(DROP(block));
    free(DROP(TAKE(malloc(90), 90)));
}

static void *wait_long(void *argument) {
    void *block = TAKE(malloc(80), 80);
    pthread_cleanup_push(clean_up, block);
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return argument;
}

static void *at_any_instruction(void *argument) {
    CHECK(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL) == 0);
    for (size_t i = 0;; i++)
        free(malloc(i % 200)); /* in no ledger: it would be half-kept */
    return argument;
}

static void cancel(void *(*function)(void *), long after_ns) {
    pthread_t id;
    void *result;
    CHECK(pthread_create(&id, NULL, function, NULL) == 0);
    nanosleep(&(struct timespec){0, after_ns}, NULL);
    CHECK(pthread_cancel(id) == 0 && pthread_join(id, &result) == 0 && result == PTHREAD_CANCELED);
}

int main(void) {
    tally_note("others");
    tally_note("unattributed");
    for (int i = 0; i < THREADS; i++) {
        cancel(wait_long, 100000);
        cancel(at_any_instruction, 100000 + i * 1777);
    }
    say("all cancelled\n");
    return 0;
}
