/* jumps.c - stacks that change under the tracer's feet: longjmp out of depth, coroutines of 16 KiB that call
 * each other, threads with the smallest stack there is, and blocks from each. */
#define _GNU_SOURCE
#include "tally.h"

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Winfinite-recursion" /* it ends by a jump */

static jmp_buf out;

static __attribute__((noinline)) void deep(volatile int depth) {
    free(DROP(TAKE(malloc(16 + (size_t)depth), 16 + (size_t)depth)));
    if (depth == 0)
        longjmp(out, 1);
    deep(depth - 1);
}

static void jump(void) {
    for (volatile int i = 0; i < 100; i++)
        if (setjmp(out) == 0)
            deep(i);
}

enum { COROUTINES = 8, SMALL = 16384 };

static ucontext_t home, coroutine[COROUTINES];

/* A stack with nothing mapped below it: a tracer that takes too much of it ends the program here. */
static char *guarded_stack(size_t size_bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, size_bytes + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && mprotect(memory + page, size_bytes, PROT_READ | PROT_WRITE) == 0);
    return memory + page;
}

static void run(int self) {
    for (volatile int i = 0; i < 100; i++) {
        void *block = TAKE(malloc(200), 200);
        swapcontext(&coroutine[self], &coroutine[(self + 1) % COROUTINES]);
        free(DROP(block));
    }
    setcontext(&home);
}

static void coroutines(void) {
    static volatile int done, i;
    for (i = 0; i < COROUTINES; i++) {
        CHECK(getcontext(&coroutine[i]) == 0);
        coroutine[i].uc_stack.ss_sp = guarded_stack(SMALL);
        coroutine[i].uc_stack.ss_size = SMALL;
        makecontext(&coroutine[i], (void (*)(void))run, 1, i);
    }
    CHECK(getcontext(&home) == 0);
    if (!done) {
        done = 1;
        setcontext(&coroutine[0]);
    }
}

static void *tiny(void *argument) {
    for (size_t i = 0; i < 50; i++)
        free(DROP(TAKE(calloc(1, 16 + i), 16 + i)));
    return argument;
}

static void tiny_stacks(void) {
    pthread_attr_t small;
    CHECK(pthread_attr_init(&small) == 0);
    CHECK(pthread_attr_setstacksize(&small, (size_t)PTHREAD_STACK_MIN) == 0);
    for (int i = 0; i < 20; i++) {
        pthread_t id;
        CHECK(pthread_create(&id, &small, tiny, NULL) == 0 && pthread_join(id, NULL) == 0);
    }
}

int main(void) {
    jump();
    coroutines();
    tiny_stacks();
    say("back on the ground\n");
    return 0;
}
