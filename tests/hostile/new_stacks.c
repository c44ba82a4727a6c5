/* new_stacks.c - two threads allocate by stacks that were never seen before, while the main thread forks
 * children that allocate and end, and takes snapshots: each finds tables that grow while they are copied.
 *
 * A stack is a path through a binary tree, the next one each time: after enough of them tables of full size
 * would be copied, so that the threads rest. */
#define _GNU_SOURCE
#include "tally.h"

#include <heaptally.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 8, DEPTH = 24, BUSY = 60000 };

static int stop; /* (atomic) */

static __attribute__((noinline)) void right(uint64_t path, int depth);

static __attribute__((noinline)) void left(uint64_t path, int depth) {
    if (depth == 0)
        free(malloc(24));
    else if (path & 1)
        right(path >> 1, depth - 1);
    else
        left(path >> 1, depth - 1);
    __asm__ volatile("" ::: "memory"); /* no tail call: each step is a frame */
}

static __attribute__((noinline)) void right(uint64_t path, int depth) {
    if (depth == 0)
        free(malloc(48));
    else if (path & 1)
        right(path >> 1, depth - 1);
    else
        left(path >> 1, depth - 1);
    __asm__ volatile("" ::: "memory");
}

static void *wander(void *start) {
    for (uint64_t path = (uintptr_t)start; !__atomic_load_n(&stop, __ATOMIC_RELAXED); path += 2) {
        left(path, DEPTH);
        if (path > BUSY)
            usleep(10);
    }
    return NULL;
}

/* A copy of what the other threads are changing. */
static void fork_one(void) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        free(malloc(32));
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(void) {
    pthread_t threads[2];
    tally_drop_out();
    for (uintptr_t i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, wander, (void *)i) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        fork_one();
        CHECK(!heaptally_is_tracing() || heaptally_snapshot("") == i + 1);
        usleep(2000);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    say("stacks without end\n");
    return 0;
}
