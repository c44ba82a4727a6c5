/* stress.c LIBRARY SECONDS [SEED] - a traced program and an oracle that knows what the tracer must say of it.
 *
 * The program's threads allocate, hand over, reallocate and free blocks by many stacks, with phases in which
 * the heap grows and in which it shrinks; threads end and new ones come; one of them forks. A block's size
 * tells who allocated it: each function allocates blocks of one odd size that nobody else uses. Before and
 * after each call it keeps account, in memory that it shares with the oracle.
 *
 * The oracle reads the image from outside at random moments, and snapshots that the program writes on a
 * signal: what they say of each size lies between what was done before and what was begun after. Now and then
 * it stops the world: then image and snapshot must be exact. A forked child must have what was live at the
 * fork.
 *
 * Prints what was compared. Exit status 0: no difference. */
#define _GNU_SOURCE
#include "source/model.h"
#include "source/open.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS  4
#define PLACES   16384
#define KINDS    12
#define DEPTH    7     /* 2^7 stacks of each kind, and those of realloc */
#define LIFETIME 60000 /* events of a thread until the next one takes its part */

static const uint32_t sizes[KINDS] = {35, 67, 101, 197, 301, 407, 515, 1201, 3333, 8195, 20011, 70001};

/* ---- the account ---- */

struct sums {
    uint64_t allocations_begun[KINDS], allocations_done[KINDS], frees_begun[KINDS], frees_done[KINDS];
};

static struct book {
    _Alignas(64) struct sums thread[THREADS]; /* (atomic) each its own */
    uint32_t stop, pause, parked;             /* (atomic) */
    uint32_t child;                           /* (atomic) of a fork: its pid while it waits to be looked at */
    struct sums before_fork, after_fork;
    uint64_t forks, threads; /* (atomic) */
} * book;

static void more(uint64_t *count) {
    __atomic_store_n(count, *count + 1, __ATOMIC_SEQ_CST); /* before the call begins, after it has ended */
}

static struct sums add_up(void) {
    struct sums sums = {{0}, {0}, {0}, {0}};
    for (int i = 0; i < THREADS; i++)
        for (int k = 0; k < KINDS; k++) {
            const struct sums *own = &book->thread[i];
            /* what is done before what is begun, so that no sum says more was done */
            sums.allocations_done[k] += __atomic_load_n(&own->allocations_done[k], __ATOMIC_SEQ_CST);
            sums.frees_done[k] += __atomic_load_n(&own->frees_done[k], __ATOMIC_SEQ_CST);
            sums.allocations_begun[k] += __atomic_load_n(&own->allocations_begun[k], __ATOMIC_SEQ_CST);
            sums.frees_begun[k] += __atomic_load_n(&own->frees_begun[k], __ATOMIC_SEQ_CST);
        }
    return sums;
}

/* ---- the program ---- */

static void *places[PLACES]; /* (atomic) whoever takes a block out may free it */

struct worker {
    struct sums *account;
    uint64_t random;
    int number;
};

static uint64_t draw(struct worker *self) {
    self->random = self->random * 6364136223846793005u + 1442695040888963407u;
    return self->random >> 33;
}

/* Each kind has call sites of its own, so that no stack has blocks of two sizes. */
#define SITE(k)                                                                                              \
    case k:                                                                                                  \
        block = old != NULL ? realloc(old, sizes[k]) : malloc(sizes[k]);                                     \
        __asm__ volatile("# site " #k : "+r"(block)::"memory");                                              \
        break;

static __attribute__((noinline)) void *allocate(uint32_t kind, void *old) {
    void *block = NULL;
    switch (kind) {
        SITE(0)
        SITE(1)
        SITE(2) SITE(3) SITE(4) SITE(5) SITE(6) SITE(7) SITE(8) SITE(9) SITE(10) SITE(11) default : abort();
    }
    return block;
}

/* Two functions that call each other as the bits say: one stack for each pattern. */
static void *left(uint32_t kind, void *old, uint32_t bits, int depth);

#define CALLS                                                                                                \
    void *block = depth == 0        ? allocate(kind, old)                                                    \
                  : (bits & 1) != 0 ? left(kind, old, bits >> 1, depth - 1)                                  \
                                    : right(kind, old, bits >> 1, depth - 1);                                \
    __asm__ volatile("" ::: "memory"); /* no tail call */                                                    \
    return block;

static __attribute__((noinline)) void *right(uint32_t kind, void *old, uint32_t bits, int depth) {
    CALLS
}

static __attribute__((noinline)) void *left(uint32_t kind, void *old, uint32_t bits, int depth) {
    CALLS
}

static uint32_t kind_of(const void *block) {
    return *(const unsigned char *)block;
}

static uint32_t any_kind(struct worker *self) {
    uint64_t drawn = draw(self);
    if (drawn % 256 == 0)
        return 9 + (uint32_t)(drawn / 256 % 3);
    return drawn % 8 == 1 ? 6 + (uint32_t)(drawn / 256 % 3) : (uint32_t)(drawn / 256 % 6);
}

static void put(struct worker *self, void *old) {
    uint32_t kind = any_kind(self), before = old != NULL ? kind_of(old) : 0;
    more(&self->account->allocations_begun[kind]);
    if (old != NULL)
        more(&self->account->frees_begun[before]);
    void *block = left(kind, old, (uint32_t)draw(self), DEPTH);
    if (block == NULL)
        abort();
    if (old != NULL)
        more(&self->account->frees_done[before]);
    more(&self->account->allocations_done[kind]);
    *(unsigned char *)block = (unsigned char)kind;
    void *other = __atomic_exchange_n(&places[draw(self) % PLACES], block, __ATOMIC_ACQ_REL);
    if (other != NULL) {
        kind = kind_of(other);
        more(&self->account->frees_begun[kind]);
        free(other);
        more(&self->account->frees_done[kind]);
    }
}

static void *take(struct worker *self) {
    return __atomic_exchange_n(&places[draw(self) % PLACES], NULL, __ATOMIC_ACQ_REL);
}

static void drop(struct worker *self) {
    void *block = take(self);
    if (block == NULL)
        return;
    uint32_t kind = kind_of(block);
    more(&self->account->frees_begun[kind]);
    free(block);
    more(&self->account->frees_done[kind]);
}

/* Grows and shrinks with the time, all threads alike. */
static bool growing(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_nsec / 250000000 % 2 == 0;
}

static void nap(long ns) {
    nanosleep(&(struct timespec){0, ns}, NULL);
}

static void park(void) {
    __atomic_fetch_add(&book->parked, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&book->pause, __ATOMIC_SEQ_CST) != 0)
        nap(200000);
    __atomic_fetch_sub(&book->parked, 1, __ATOMIC_SEQ_CST);
}

/* The child counts what is live, once it has allocated, and waits to be looked at. */
static void fork_one(void) {
    if (__atomic_load_n(&book->child, __ATOMIC_SEQ_CST) != 0)
        return;
    struct sums before = add_up();
    pid_t child = fork();
    if (child == 0) {
        void *volatile block = malloc(3);
        free(block);
        __atomic_store_n(&book->child, (uint32_t)getpid(), __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&book->child, __ATOMIC_SEQ_CST) == (uint32_t)getpid())
            nap(500000);
        _exit(0);
    }
    struct sums after = add_up();
    if (child < 0)
        return;
    while (__atomic_load_n(&book->child, __ATOMIC_SEQ_CST) != (uint32_t)child)
        nap(200000);
    book->before_fork = before;
    book->after_fork = after;
    __atomic_fetch_add(&book->forks, 1, __ATOMIC_SEQ_CST);
}

/* A part of the program, in the life of one thread. */
static void *work(void *argument) {
    struct worker *self = argument;
    bool grows = growing();
    for (uint32_t i = 0; i < LIFETIME && __atomic_load_n(&book->stop, __ATOMIC_RELAXED) == 0; i++) {
        if (i % 512 == 0)
            grows = growing();
        if (__atomic_load_n(&book->pause, __ATOMIC_RELAXED) != 0)
            park();
        uint64_t drawn = draw(self) % 16;
        if (drawn == 0)
            put(self, take(self));
        else if (drawn < (grows ? 12u : 5u))
            put(self, NULL);
        else
            drop(self);
    }
    return NULL;
}

/* Its threads have no signal: the snapshot is written by the thread that waits for them. */
static int program(uint64_t seed) {
    static struct worker workers[THREADS];
    pthread_t ids[THREADS];
    sigset_t snapshot, before;
    sigemptyset(&snapshot);
    sigaddset(&snapshot, SIGUSR2);
    for (int i = 0; i < THREADS; i++)
        workers[i] = (struct worker){&book->thread[i], seed + (uint64_t)i, i};
    for (int round = 0; __atomic_load_n(&book->stop, __ATOMIC_RELAXED) == 0; round++) {
        pthread_sigmask(SIG_BLOCK, &snapshot, &before);
        for (int i = 0; i < THREADS; i++)
            if (pthread_create(&ids[i], NULL, work, &workers[i]) != 0)
                abort();
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        __atomic_fetch_add(&book->threads, THREADS, __ATOMIC_SEQ_CST);
        fork_one();
        for (int i = 0; i < THREADS; i++)
            pthread_join(ids[i], NULL);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (__atomic_load_n(&book->pause, __ATOMIC_SEQ_CST) != 0) { /* all are gone, and none parks */
            __atomic_fetch_add(&book->parked, THREADS, __ATOMIC_SEQ_CST);
            while (__atomic_load_n(&book->pause, __ATOMIC_SEQ_CST) != 0)
                nap(200000);
            __atomic_fetch_sub(&book->parked, THREADS, __ATOMIC_SEQ_CST);
        }
    }
    return 0;
}

/* ---- the oracle ---- */

static uint64_t differences, images, snapshots, rests, children;
static char directory[64];

static void differs(const char *what, uint32_t kind, uint64_t found, uint64_t least, uint64_t most) {
    if (differences++ < 20)
        fprintf(stderr,
                "stress: %s of blocks of %" PRIu32 " bytes: %" PRIu64 ", not %" PRIu64 " to %" PRIu64 "\n",
                what, sizes[kind], found, least, most);
}

static void within(const char *what, uint32_t kind, uint64_t found, uint64_t least, uint64_t most) {
    if ((int64_t)(found - least) < 0 || (int64_t)(most - found) < 0)
        differs(what, kind, found, least, most);
}

struct found {
    uint64_t allocations[KINDS], frees[KINDS];
};

/* Which kind's a stack is, once a row of it with many blocks, all of one size, was seen. In flight a cell may
 * be within an event of the truth, where its owner slept. */
#define STACKS 65536u /* a power of 2, more than twice what there are */
#define MANY   64u

static struct {
    uint64_t hash;
    uint32_t kind;
} known[STACKS];

static uint32_t kind_of_row(const struct model_stack *stack) {
    const struct measures *row = &stack->measures;
    uint32_t at = (uint32_t)stack->hash_lo & (STACKS - 1), k = 0;
    while (known[at].hash != 0 && known[at].hash != stack->hash_lo)
        at = (at + 1) & (STACKS - 1);
    if (known[at].hash != 0)
        return known[at].kind;
    while (k < KINDS && (row->allocations == 0 || row->allocated_bytes != row->allocations * sizes[k]))
        k++;
    if (row->allocations >= MANY && k < KINDS) {
        known[at].hash = stack->hash_lo;
        known[at].kind = k;
    }
    return k;
}

/* Bytes and blocks of a row belong together, give or take the event of each thread. */
static void check_bytes(const char *what, uint32_t k, uint64_t blocks, uint64_t bytes, bool exact) {
    uint64_t slack = exact ? 0 : THREADS * sizes[k];
    within(what, k, bytes, blocks * sizes[k] - slack, blocks * sizes[k] + slack);
}

static struct found sum_rows(const struct tables *tables, bool exact) {
    struct found found = {{0}, {0}};
    struct error error = {0};
    struct model *model = model_new(tables, &error);
    for (size_t i = 0; model != NULL && i < model->stack_count; i++) {
        const struct measures *row = &model->stacks[i].measures;
        uint32_t k = kind_of_row(&model->stacks[i]);
        if (k == KINDS)
            continue;
        check_bytes("a row, allocated bytes", k, row->allocations, row->allocated_bytes, exact);
        check_bytes("a row, freed bytes", k, row->frees, row->freed_bytes, exact);
        found.allocations[k] += row->allocations;
        found.frees[k] += row->frees;
    }
    if (model == NULL || model->live_low_bytes > model->live_high_bytes)
        differs("a model", 0, 0, 1, 1);
    model_free(model);
    return found;
}

static void compare(const char *what, const struct tables *tables, const struct sums *before,
                    const struct sums *after, bool exact) {
    struct found found = sum_rows(tables, exact);
    char text[64];
    for (uint32_t k = 0; k < KINDS; k++) {
        snprintf(text, sizeof text, "%s, allocations", what);
        within(text, k, found.allocations[k], before->allocations_done[k], after->allocations_begun[k]);
        snprintf(text, sizeof text, "%s, frees", what);
        within(text, k, found.frees[k], before->frees_done[k], after->frees_begun[k]);
    }
}

static bool open_source(struct source *source, const char *name) {
    struct error error = {0};
    if (source_open(source, name, &error))
        return true;
    if (differences++ < 20)
        fprintf(stderr, "stress: %s\n", error.text);
    return false;
}

static void look_at_image(pid_t pid, bool exact) {
    struct source source;
    char name[16];
    snprintf(name, sizeof name, "%d", (int)pid);
    struct sums before = add_up();
    if (!open_source(&source, name))
        return;
    struct sums after = add_up();
    compare(exact ? "image at rest" : "image", source.tables, &before, &after, exact);
    source_close(&source);
    images++;
}

static void look_at_snapshot(pid_t pid, bool exact) {
    struct source source;
    char path[96];
    snprintf(path, sizeof path, "%s/snapshot", directory);
    unlink(path);
    struct sums before = add_up();
    kill(pid, SIGUSR2);
    for (int i = 0; i < 20000 && access(path, F_OK) != 0; i++)
        nap(500000);
    struct sums after = add_up();
    if (!open_source(&source, path))
        return;
    compare(exact ? "snapshot at rest" : "snapshot", source.tables, &before, &after, exact);
    source_close(&source);
    snapshots++;
}

/* What was live at the fork; and since then the child has allocated nothing of these. */
static void look_at_child(void) {
    uint32_t child = __atomic_load_n(&book->child, __ATOMIC_SEQ_CST);
    static uint64_t forks;
    struct source source;
    char name[16];
    if (child == 0 || __atomic_load_n(&book->forks, __ATOMIC_SEQ_CST) == forks)
        return;
    forks = __atomic_load_n(&book->forks, __ATOMIC_SEQ_CST);
    snprintf(name, sizeof name, "%" PRIu32, child);
    if (open_source(&source, name)) {
        struct found found = sum_rows(source.tables, true);
        const struct sums *before = &book->before_fork, *after = &book->after_fork;
        for (uint32_t k = 0; k < KINDS; k++)
            within("a child, live", k, found.allocations[k] - found.frees[k],
                   before->allocations_done[k] - after->frees_begun[k],
                   after->allocations_begun[k] - before->frees_done[k]);
        unlink(source.path);
        source_close(&source);
        children++;
    }
    __atomic_store_n(&book->child, 0, __ATOMIC_SEQ_CST);
}

/* Everybody between two events: now it is exact. */
static void stop_the_world(pid_t pid) {
    __atomic_store_n(&book->pause, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 20000 && __atomic_load_n(&book->parked, __ATOMIC_SEQ_CST) != THREADS; i++) {
        look_at_child(); /* the program may wait for it */
        nap(500000);
    }
    if (__atomic_load_n(&book->parked, __ATOMIC_SEQ_CST) == THREADS) {
        struct sums now = add_up();
        if (memcmp(now.allocations_begun, now.allocations_done, sizeof now.allocations_done) != 0 ||
            memcmp(now.frees_begun, now.frees_done, sizeof now.frees_done) != 0)
            differs("the account", 0, 0, 1, 1);
        look_at_image(pid, true);
        look_at_snapshot(pid, true);
        rests++;
    }
    __atomic_store_n(&book->pause, 0, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&book->parked, __ATOMIC_SEQ_CST) != 0)
        nap(200000);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void watch(pid_t pid, double seconds, uint64_t seed) {
    double end = now() + seconds;
    struct worker chance = {NULL, seed, 0};
    while (now() < end && waitpid(pid, NULL, WNOHANG) == 0) {
        nap((long)(draw(&chance) % 20000000));
        look_at_child();
        uint64_t drawn = draw(&chance) % 16;
        if (drawn == 0)
            stop_the_world(pid);
        else if (drawn < 4)
            look_at_snapshot(pid, false);
        else
            look_at_image(pid, false);
    }
    if (now() < end) {
        fprintf(stderr, "stress: the program ended\n");
        differences++;
    } else {
        stop_the_world(pid);
    }
}

static void clean_up(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    if (system(command) != 0)
        fprintf(stderr, "stress: %s is left\n", directory);
}

static void become_program(const char *self, const char *library, int fd, uint64_t seed) {
    char number[24], start[24], out[96];
    snprintf(number, sizeof number, "%d", fd);
    snprintf(start, sizeof start, "%" PRIu64, seed);
    snprintf(out, sizeof out, "%s/snapshot", directory);
    setenv("LD_PRELOAD", library, 1);
    setenv("HEAPTALLY_OUT", out, 1);
    setenv("HEAPTALLY_OVERWRITE", "1", 1);
    execl(self, self, "--program", number, start, (char *)NULL);
    _exit(127);
}

static struct book *map_book(int fd) {
    void *at = mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        abort();
    return at;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "--program") == 0) {
        book = map_book(atoi(argv[2]));
        return program(strtoull(argv[3], NULL, 10));
    }
    if (argc < 3) {
        fprintf(stderr, "stress: usage: stress LIBRARY SECONDS [SEED]\n");
        return 2;
    }
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)time(NULL);
    snprintf(directory, sizeof directory, "/dev/shm/heaptally-stress.XXXXXX");
    int fd = memfd_create("book", 0);
    if (mkdtemp(directory) == NULL || fd < 0 || ftruncate(fd, sizeof *book) != 0) {
        fprintf(stderr, "stress: no directory in /dev/shm: %s\n", strerror(errno));
        return 2;
    }
    setenv("HEAPTALLY_DIR", directory, 1);
    book = map_book(fd);
    pid_t pid = fork();
    if (pid == 0)
        become_program(argv[0], argv[1], fd, seed);
    while (__atomic_load_n(&book->threads, __ATOMIC_SEQ_CST) == 0)
        nap(1000000);
    watch(pid, atof(argv[2]), seed);
    __atomic_store_n(&book->stop, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&book->child, 0, __ATOMIC_SEQ_CST);
    kill(pid, SIGKILL);
    struct sums sums = add_up();
    uint64_t allocations = 0, frees = 0;
    for (int k = 0; k < KINDS; k++) {
        allocations += sums.allocations_done[k];
        frees += sums.frees_done[k];
    }
    printf("seed %" PRIu64 ": %" PRIu64 " allocations and %" PRIu64 " frees by %" PRIu64 " threads; %" PRIu64
           " images, %" PRIu64 " snapshots (%" PRIu64 " times at rest) and %" PRIu64
           " forked children compared: %" PRIu64 " differences\n",
           seed, allocations, frees, book->threads, images, snapshots, rests, children, differences);
    clean_up();
    return differences != 0 || images == 0 || snapshots == 0 || rests == 0 || children == 0;
}
