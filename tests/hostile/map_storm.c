/* map_storm.c handlers|vfork|space|forks|jumps - maps and unmaps where it is least expected: in signal
 * handlers on top of the tracer, in constructors, in vfork children, at the limit of address space, while
 * other threads fork, and in handlers that jump out. */
#define _GNU_SOURCE
#include "tally.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAP(bytes) mmap(NULL, (bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)

enum { PAGE = 4096, STORMS = 2000, CHILDREN = 20, JUMPS = 100, THREADS = 3 };

static void *of_constructor;
static volatile sig_atomic_t storms, armed;
static sigjmp_buf start;

__attribute__((constructor)) static void map_early(void) {
    of_constructor = TAKE(MAP(3 * PAGE), 3 * PAGE);
}

static void every_millisecond(void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler};
    struct itimerval often = {{0, 500}, {0, 500}};
    CHECK(sigaction(SIGPROF, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_PROF, &often, NULL) == 0);
}

static void be_quiet(void) {
    CHECK(setitimer(ITIMER_PROF, &(struct itimerval){{0, 0}, {0, 0}}, NULL) == 0);
}

/* bytes: always the same of one place. */
static void exchange(void **kept, size_t bytes) {
    if (*kept != NULL)
        CHECK(munmap(DROP(*kept), bytes) == 0);
    *kept = TAKE(MAP(bytes), bytes);
}

/* ---- handlers ---- */

static void map_in_handler(int number) {
    static void *kept[8];
    int before = errno;
    (void)number;
    storms = storms + 1;
    exchange(&kept[storms % 8], (size_t)(1 + storms % 8) * PAGE);
    errno = before;
}

static void handlers(void) {
    static void *kept[64];
    tally_note("unattributed");
    every_millisecond(map_in_handler);
    for (unsigned i = 0; storms < STORMS / 10; i++) {
        exchange(&kept[i % 64], (1 + i % 64) * PAGE);
        free(DROP(TAKE(malloc(16 + i % 1000), 16 + i % 1000)));
    }
    be_quiet();
}

/* ---- children that share the memory ---- */

static void vfork_children(void) {
    static void *kept[CHILDREN];
    for (volatile int i = 0; i < CHILDREN; i++) {
        int status;
        pid_t child = vfork();
        CHECK(child >= 0);
        if (child == 0) {
            exchange(&kept[i], 5 * PAGE);
            exchange(&kept[i / 2], 5 * PAGE);
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
}

/* ---- no room ---- */

static void *null_if_failed(void *mapped) {
    return mapped != MAP_FAILED ? mapped : NULL;
}

static void exhaust_space(void) {
    static void *kept[4096];
    struct rlimit limit;
    size_t count = 0, step = 64 * PAGE;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    CHECK(limit.rlim_cur != RLIM_INFINITY);
    tally_note("loss commit_failures");
    errno = 0;
    while (count < 4096 && (kept[count] = TAKE(null_if_failed(MAP(step)), step)) != NULL)
        count++;
    CHECK(errno == ENOMEM && count > 4);
    CHECK(mremap(kept[0], step, 4096 * step, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM);
    while (count-- > 2)
        CHECK(munmap(DROP(kept[count]), step) == 0);
}

/* ---- forks ---- */

static bool stop; /* (atomic) */

/* Of the parent's threads the child does not know what they were doing. */
static void *map_all_the_time(void *argument) {
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        void *mapped = MAP(7 * PAGE);
        CHECK(mapped != MAP_FAILED);
        CHECK(munmap((char *)mapped + PAGE, PAGE) == 0);
        CHECK(munmap(mapped, 7 * PAGE) == 0);
    }
    return argument;
}

static void child_of_threads(void) {
    void *own = NULL;
    tally_forked();
    for (int i = 0; i < 100; i++)
        exchange(&own, 5 * PAGE);
    CHECK(munmap(DROP(of_constructor), 3 * PAGE) == 0);
    tally_write();
    _exit(0);
}

static void forks(void) {
    pthread_t ids[THREADS];
    tally_note("others");
    tally_note("slack 6"); /* two pieces a thread */
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&ids[i], NULL, map_all_the_time, NULL) == 0);
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            child_of_threads();
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(ids[i], NULL) == 0);
}

/* ---- jumps ---- */

static void jump(int number) {
    (void)number;
    if (armed) {
        storms = storms + 1;
        siglongjmp(start, 1);
    }
}

/* Unmapping never waits for what a jump has left behind. */
static void jumps(void) {
    static char slack[32];
    tally_note("others");
    tally_note("unattributed");
    memcpy(slack, "slack 200", 10); /* 2 * JUMPS */
    tally_note(slack);
    every_millisecond(jump);
    if (sigsetjmp(start, 1) == 0 || storms < JUMPS) {
        armed = 1;
        while (storms < JUMPS)
            (void)munmap(MAP(PAGE), PAGE);
    }
    armed = 0;
    be_quiet();
    void *last = NULL;
    for (int i = 0; i < 1000; i++)
        exchange(&last, 2 * PAGE);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } ways[] = {{"handlers", handlers},
                {"vfork", vfork_children},
                {"space", exhaust_space},
                {"forks", forks},
                {"jumps", jumps}};
    CHECK(argc == 2);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(argv[1], ways[i].name) == 0)
            ways[i].run();
    say("mapped\n");
    return 0;
}
