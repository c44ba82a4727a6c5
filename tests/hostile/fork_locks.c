/* fork_locks.c - forks while other threads hold the locks of malloc, the loader and stdio: a child of a
 * threaded program must come up with all of them free, and so must the tracer in it. */
#define _GNU_SOURCE
#include "tally.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILDREN = 60 };

static volatile int stop;

static int look(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)info, (void)size;
    free(DROP(TAKE(malloc(33), 33))); /* under the loader's lock */
    return *(int *)argument;
}

static void *allocate(void *argument) {
    (void)argument;
    for (size_t i = 0; !stop; i++)
        free(DROP(TAKE(malloc(16 + i % 5000), 16 + i % 5000)));
    return NULL;
}

static void *iterate(void *argument) {
    int none = 0;
    (void)argument;
    while (!stop)
        dl_iterate_phdr(look, &none);
    return NULL;
}

static void *print(void *argument) {
    FILE *out = argument;
    while (!stop)
        fprintf(out, "%d\n", rand());
    return NULL;
}

static void child(int number) {
    tally_forked();
    tally_note("slack 3"); /* what the other threads were doing when the fork came */
    tally_note("others");
    void *p = TAKE(malloc(70), 70);
    free(DROP(TAKE(realloc(DROP(p), 700), 700)));
    p = TAKE(calloc(1, 71), 71);
    if (number % 10 == 0)
        tally_write();
    _exit(0);
}

int main(void) {
    FILE *null = fopen("/dev/null", "we");
    void *(*const work[])(void *) = {allocate, allocate, iterate, print};
    pthread_t ids[4];
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&ids[i], NULL, work[i], null) == 0);
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            child(i);
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    }
    stop = 1;
    for (int i = 0; i < 4; i++)
        pthread_join(ids[i], NULL);
    say("all children came up\n");
    return 0;
}
