/* newborn.c thread|process - each of many threads is interrupted while it allocates for the first time, which
 * is when the tracer makes room for it, by a handler that allocates too: some times, fewer than a thread can
 * put off. They all stay, so that none can have the room of another. Or it is forked children, which the
 * tracer gives an image of their own then. */
#define _GNU_SOURCE
#include "tally.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 400, CHILDREN = 20, SIGNALS = 12, INHERITED = 2000 };

/* How many have been born, and have grown: (atomic), shared with children. */
static struct ages { int born, grown; } * ages;
static pthread_mutex_t end = PTHREAD_MUTEX_INITIALIZER; /* held by main until all are there */

static void handle(int number) {
    (void)number;
    free(DROP(TAKE(malloc(40), 40)));
}

static void grow(void) {
    __atomic_fetch_add(&ages->born, 1, __ATOMIC_RELEASE);
    free(DROP(TAKE(malloc(30), 30)));
    __atomic_fetch_add(&ages->grown, 1, __ATOMIC_RELEASE);
}

static void await_birth(int before) {
    while (__atomic_load_n(&ages->born, __ATOMIC_ACQUIRE) == before)
        sched_yield();
}

static int is_growing(int before) {
    return __atomic_load_n(&ages->grown, __ATOMIC_ACQUIRE) == before;
}

static void *live(void *argument) {
    grow();
    CHECK(pthread_mutex_lock(&end) == 0 && pthread_mutex_unlock(&end) == 0);
    return argument;
}

static void disturb_threads(void) {
    static pthread_t ids[THREADS];
    pthread_attr_t attributes;
    CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 65536) == 0);
    CHECK(pthread_mutex_lock(&end) == 0);
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&ids[i], &attributes, live, NULL) == 0);
        await_birth(i);
        for (int n = 0; n < SIGNALS && is_growing(i); n++)
            CHECK(pthread_kill(ids[i], SIGPROF) == 0);
        while (is_growing(i))
            sched_yield();
    }
    CHECK(pthread_mutex_unlock(&end) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(ids[i], NULL) == 0);
}

/* What it inherits takes the tracer a while. */
static void disturb_children(void) {
    static void *inherited[INHERITED];
    int status;
    for (int i = 0; i < INHERITED; i++)
        inherited[i] = TAKE(malloc(50), 50);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            tally_forked();
            grow();
            exit(0);
        }
        await_birth(i);
        for (int n = 0; n < SIGNALS && is_growing(i); n++) {
            CHECK(kill(child, SIGPROF) == 0);
            nanosleep(&(struct timespec){0, 100000}, NULL);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    for (int i = 0; i < INHERITED; i++)
        free(DROP(inherited[i]));
}

int main(int argc, char **argv) {
    const struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    ages = mmap(NULL, sizeof *ages, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(ages != MAP_FAILED && sigaction(SIGPROF, &action, NULL) == 0);
    tally_note("unattributed");
    if (argc > 1 && strcmp(argv[1], "process") == 0)
        disturb_children();
    else
        disturb_threads();
    say("all are grown\n");
    return 0;
}
