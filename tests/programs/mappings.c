/* mappings.c - maps, remaps and unmaps at random, whole mappings and parts of them, and keeps account of it.
 *     mappings SEED [threads | fork | malloc]
 *
 * Most of it happens in an arena of a few hundred pages, in which mappings are laid over each other; some is
 * mapped where the kernel likes. threads: four at once, which after each round go on with another's mappings.
 * fork: the child goes on with what it inherited. */
#define _GNU_SOURCE
#include "mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, ARENA_PAGES = 256, STEPS = 3000, THREADS = 4, ROUNDS = 8, FAR = 64 };

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define ANONYMOUS  (MAP_PRIVATE | MAP_ANONYMOUS)

/* What one thread works on. */
struct work {
    struct map map;
    uint64_t random;
    char *arena;
    char *far[FAR]; /* mapped elsewhere; null: nothing */
    size_t far_bytes[FAR];
};

static struct work works[THREADS];
static int file;

static uint64_t below(struct work *work, uint64_t bound) {
    uint64_t z = work->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (z ^ z >> 31) % bound;
}

/* The kernel maps whole pages. */
static size_t whole(size_t bytes) {
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static void added(struct work *work, const void *at, size_t bytes, int line) {
    CHECK(at != MAP_FAILED);
    map_add(&work->map, (uintptr_t)at, whole(bytes), line);
}

static void removed(struct work *work, const void *at, size_t bytes) {
    map_remove(&work->map, (uintptr_t)at, whole(bytes));
}

static char *somewhere(struct work *work, size_t *bytes) {
    uint64_t first = below(work, ARENA_PAGES), count = 1 + below(work, 40);
    count = first + count > ARENA_PAGES ? ARENA_PAGES - first : count;
    *bytes = count * PAGE - below(work, PAGE);
    return work->arena + first * PAGE;
}

/* ---- steps ---- */

static void map_over(struct work *work) {
    size_t bytes;
    char *at = somewhere(work, &bytes);
    bool of_file = below(work, 3) == 0;
    removed(work, at, bytes);
    if (of_file)
        added(work, mmap(at, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0), bytes, __LINE__);
    else
        added(work, mmap64(at, bytes, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0), bytes, __LINE__);
}

static bool is_free(const struct map *map, uintptr_t start, uintptr_t end) {
    for (size_t i = 0; i < map->count; i++)
        if (map->spans[i].start < end && start < map->spans[i].end)
            return false;
    return true;
}

static void map_if_free(struct work *work) {
    size_t bytes;
    char *at = somewhere(work, &bytes);
    bool free_there = is_free(&work->map, (uintptr_t)at, (uintptr_t)at + whole(bytes));
    void *mapped = mmap(at, bytes, READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK((mapped != MAP_FAILED) == free_there);
    if (mapped != MAP_FAILED)
        added(work, mapped, bytes, __LINE__ - 3);
}

static void unmap(struct work *work) {
    size_t bytes;
    char *at = somewhere(work, &bytes);
    CHECK(munmap(at, bytes) == 0);
    removed(work, at, bytes);
}

static void map_far(struct work *work) {
    size_t i = below(work, FAR), bytes = 1 + below(work, 30 * PAGE);
    if (work->far[i] != NULL) {
        removed(work, work->far[i], work->far_bytes[i]);
        CHECK(munmap(work->far[i], work->far_bytes[i]) == 0);
        work->far[i] = NULL;
        return;
    }
    work->far[i] = mmap(NULL, bytes, READ_WRITE, ANONYMOUS, -1, 0);
    work->far_bytes[i] = bytes;
    added(work, work->far[i], bytes, __LINE__ - 2);
}

/* Grows, shrinks or moves a mapping of its own; in place it may not find room. */
static void remap_far(struct work *work) {
    size_t i = below(work, FAR), bytes = 1 + below(work, 60 * PAGE);
    int flags = below(work, 4) == 0 ? 0 : MREMAP_MAYMOVE;
    if (work->far[i] == NULL)
        return;
    void *moved = mremap(work->far[i], work->far_bytes[i], bytes, flags);
    CHECK(moved != MAP_FAILED || (flags == 0 && errno == ENOMEM));
    if (moved == MAP_FAILED)
        return;
    removed(work, work->far[i], work->far_bytes[i]);
    work->far[i] = moved;
    work->far_bytes[i] = bytes;
    added(work, moved, bytes, __LINE__ - 7);
}

/* Onto the arena, over what is there; with DONTUNMAP the old one stays, empty. */
static void remap_into_arena(struct work *work) {
    size_t i = below(work, FAR), bytes;
    char *to = somewhere(work, &bytes);
    bool stays = below(work, 2) == 0;
    if (work->far[i] == NULL)
        return;
    if (stays)
        bytes = work->far_bytes[i];
    if (stays && to + whole(bytes) > work->arena + ARENA_PAGES * PAGE)
        return;
    int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (stays ? MREMAP_DONTUNMAP : 0);
    void *moved = mremap(work->far[i], work->far_bytes[i], bytes, flags, to);
    CHECK(moved == to);
    if (!stays) {
        removed(work, work->far[i], work->far_bytes[i]);
        work->far[i] = NULL;
    }
    removed(work, to, bytes);
    added(work, to, bytes, __LINE__ - 7);
}

/* Refused: nothing changes, errno says why. */
static void fail(struct work *work) {
    size_t bytes;
    char *at = somewhere(work, &bytes);
    errno = 0;
    CHECK(munmap(at + 1, bytes) == -1 && errno == EINVAL);
    CHECK(munmap(at, 0) == -1 && errno == EINVAL);
    CHECK(mmap(at, 0, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(at, bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EBADF);
    CHECK(mmap(NULL, (size_t)1 << 60, PROT_READ, ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
    CHECK(mremap(at, bytes, bytes, -1) == MAP_FAILED && errno == EINVAL);
    CHECK(mremap(at + 1, bytes, bytes, 0) == MAP_FAILED && errno == EINVAL);
}

static void step(struct work *work) {
    static void (*const steps[])(struct work *) = {
        map_over, map_if_free, unmap, unmap, map_far, map_far, remap_far, remap_into_arena, fail};
    steps[below(work, sizeof steps / sizeof *steps)](work);
}

/* ---- the break ---- */

/* In bytes, and what libc's malloc adds to it is not ours. */
static void move_break(struct work *work) {
    char *start = sbrk(0), *heap = sbrk(10000);
    CHECK(heap == start);
    map_add(&work->map, (uintptr_t)start, 10000, __LINE__ - 2);
    CHECK(sbrk(-3000) == start + 10000);
    map_remove(&work->map, (uintptr_t)start + 7000, 3000);
    CHECK(brk(start + 20000) == 0);
    map_add(&work->map, (uintptr_t)start + 7000, 13000, __LINE__ - 1);
    CHECK(brk(start + 5000) == 0);
    map_remove(&work->map, (uintptr_t)start + 5000, 15000);
    CHECK(sbrk((intptr_t)1 << 46) == (void *)-1 && errno == ENOMEM);
    CHECK(brk(NULL) == 0 && sbrk(0) == start + 5000); /* glibc: no error, and no effect */
}

/* libc maps what large blocks need, and moves the break between ours. */
static void with_malloc(struct work *work) {
    char *heap = sbrk(5000);
    map_add(&work->map, (uintptr_t)heap, 5000, __LINE__ - 1);
    void *small = GOT(malloc(100000), 100000), *large = GOT(malloc(3000000), 3000000);
    char *more = sbrk(7000);
    map_add(&work->map, (uintptr_t)more, 7000, __LINE__ - 1);
    large = GOT(realloc(GONE(large), 9000000), 9000000);
    void *kept = GOT(malloc(2000000), 2000000);
    free(GONE(large));
    free(GONE(small));
    (void)kept;
}

/* ---- processes and threads ---- */

/* Far below where the kernel looks for room: it would fill the holes. */
static void begin(struct work *work, uint64_t seed) {
    uintptr_t arena = ((uintptr_t)1 << 44) + ((uintptr_t)(work - works) << 30);
    work->map.file = __FILE__;
    work->random = seed;
    work->arena = mmap((void *)arena, ARENA_PAGES * PAGE, PROT_NONE, ANONYMOUS, -1, 0);
    added(work, work->arena, ARENA_PAGES * PAGE, __LINE__ - 1);
}

static void *one_round(void *argument) {
    for (int i = 0; i < STEPS / ROUNDS; i++)
        step(argument);
    return NULL;
}

static void with_threads(void) {
    ledger_threads();
    ledger_foreign("ld-linux-x86-64.so.2");
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t ids[THREADS];
        for (int i = 0; i < THREADS; i++)
            CHECK(pthread_create(&ids[i], NULL, one_round, &works[(i + round) % THREADS]) == 0);
        for (int i = 0; i < THREADS; i++)
            CHECK(pthread_join(ids[i], NULL) == 0);
    }
}

static void with_child(struct work *work) {
    int status;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        ledger_forked();
    for (int i = 0; i < STEPS / 4; i++)
        step(work);
    if (pid != 0)
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(int argc, char **argv) {
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    bool threads = argc > 2 && argv[2][0] == 't';
    file = open(argv[0], O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0);
    for (int i = 0; i < (threads ? THREADS : 1); i++)
        begin(&works[i], seed * THREADS + (uint64_t)i);
    if (threads)
        with_threads();
    else
        for (int i = 0; i < STEPS; i++)
            step(&works[0]);
    if (argc > 2 && argv[2][0] == 'f')
        with_child(&works[0]);
    if (argc > 2 && argv[2][0] == 'm')
        with_malloc(&works[0]);
    else if (!threads)
        move_break(&works[0]);
    return 0;
}
