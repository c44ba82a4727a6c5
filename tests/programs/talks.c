/* talks.c - asks its tracer all that heaptally.h offers, and expects tracemalloc's answers. The names of the
 * parts are those of CPython's test_tracemalloc where there is one.
 *
 *     talks PART
 *
 * Exit status 0, or 1 after a line that says what is not so. */
#define _GNU_SOURCE
#include "talks.h"

#include "heaptally.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define DOMAIN 389047u /* numpy's: more than 16 bits */

static size_t current(void) {
    size_t now, peak;
    heaptally_get_traced_memory(&now, &peak);
    return now;
}

static size_t peak(void) {
    size_t now, most;
    heaptally_get_traced_memory(&now, &most);
    return most;
}

static __attribute__((noinline)) void *allocate(size_t bytes) {
    void *block = malloc(bytes);
    __asm__ volatile("" : "+r"(block)); /* the call above is none in tail position */
    return block;
}

/* ---- parts ---- */

/* Without the library: nothing happens, and every answer says so. */
static void absent(void) {
    size_t now = 1, most = 1;
    void *pcs[4], *block = allocate(10);
    struct heaptally_scope scope = {.begun = 1};
    EXPECT(heaptally_find_api() == NULL);
    EXPECT_EQUAL(heaptally_start(5), HEAPTALLY_NOT_TRACING);
    EXPECT_EQUAL(heaptally_is_tracing(), 0);
    EXPECT_EQUAL(heaptally_get_traceback_limit(), 0);
    heaptally_get_traced_memory(&now, &most);
    EXPECT(now == 0 && most == 0);
    heaptally_reset_peak();
    EXPECT_EQUAL(heaptally_clear_traces(), HEAPTALLY_NOT_TRACING);
    EXPECT_EQUAL(heaptally_get_tracer_memory(), 0);
    EXPECT_EQUAL(heaptally_get_block_traceback(block, pcs, 4), HEAPTALLY_NOT_TRACING);
    EXPECT_EQUAL(heaptally_snapshot("label"), 0);
    EXPECT_EQUAL(heaptally_track(DOMAIN, 1, 2), HEAPTALLY_NOT_TRACING);
    EXPECT_EQUAL(heaptally_untrack(DOMAIN, 1), HEAPTALLY_NOT_TRACING);
    EXPECT_EQUAL(heaptally_name_domain(DOMAIN, "pool"), HEAPTALLY_NOT_TRACING);
    EXPECT_EQUAL(heaptally_scope_begin("phase"), HEAPTALLY_NOT_TRACING);
    EXPECT_EQUAL(heaptally_scope_end(), HEAPTALLY_NOT_TRACING);
    EXPECT_EQUAL(heaptally_get_scope("phase", &scope), HEAPTALLY_NOT_TRACING);
    EXPECT_EQUAL(scope.begun, 0);
    EXPECT_EQUAL(heaptally_set_tag("tag"), HEAPTALLY_NOT_TRACING);
    EXPECT_EQUAL(heaptally_stop(), 0);
    free(block);
}

static void get_traced_memory(void) {
    size_t before = current(), most = peak();
    void *large = allocate(1 << 20);
    EXPECT_EQUAL(current(), before + (1 << 20));
    EXPECT(peak() >= before + (1 << 20));
    free(large);
    EXPECT_EQUAL(current(), before);
    EXPECT(peak() >= before + (1 << 20) && peak() >= most);
    EXPECT_EQUAL(heaptally_stop(), 0);
    EXPECT(current() == 0 && peak() == 0);
}

static void reset_peak(void) {
    void *large = allocate(1 << 20);
    free(large);
    EXPECT(peak() >= 1 << 20);
    heaptally_reset_peak();
    EXPECT_EQUAL(peak(), current());
    void *small = allocate(1000);
    free(small);
    EXPECT_EQUAL(peak(), current() + 1000);
}

static void clear_traces(void) {
    void *pcs[4], *before = allocate(123456);
    EXPECT(heaptally_get_block_traceback(before, pcs, 4) > 0);
    EXPECT_EQUAL(heaptally_clear_traces(), 0);
    EXPECT(heaptally_is_tracing());
    EXPECT_EQUAL(heaptally_get_block_traceback(before, pcs, 4), HEAPTALLY_FAILED);
    EXPECT(current() == 0 && peak() == 0);
    void *after = allocate(77);
    EXPECT(heaptally_get_block_traceback(after, pcs, 4) > 0);
    EXPECT_EQUAL(current(), 77);
    free(before); /* counts nowhere */
    EXPECT_EQUAL(current(), 77);
    void *same = allocate(123456); /* most likely where `before` was */
    EXPECT_EQUAL(current(), 77 + 123456);
    free(same);
    after = realloc(after, 100);
    EXPECT_EQUAL(current(), 100);
    free(after);
    EXPECT_EQUAL(current(), 0);
    EXPECT_EQUAL(peak(), 77 + 123456);
}

static void is_tracing(void) {
    EXPECT_EQUAL(heaptally_is_tracing(), 1);
    EXPECT_EQUAL(heaptally_stop(), 0);
    EXPECT_EQUAL(heaptally_is_tracing(), 0);
    EXPECT_EQUAL(heaptally_start(1), 0);
    EXPECT_EQUAL(heaptally_is_tracing(), 1);
}

static __attribute__((noinline)) void *deeper(int depth, size_t bytes) {
    void *block = depth == 0 ? allocate(bytes) : deeper(depth - 1, bytes);
    __asm__ volatile("" : "+r"(block));
    return block;
}

static void set_traceback_limit(void) {
    void *pcs[64], *block;
    unsigned limit = heaptally_get_traceback_limit();
    EXPECT_EQUAL(limit, 128);
    EXPECT_EQUAL(heaptally_start(10), 0); /* keeps the first limit */
    EXPECT_EQUAL(heaptally_get_traceback_limit(), limit);
    static const unsigned limits[] = {10, 1, 3, 65535, 5};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        heaptally_stop();
        EXPECT_EQUAL(heaptally_start(limits[i]), 0);
        EXPECT_EQUAL(heaptally_get_traceback_limit(), limits[i]);
        block = deeper(20, 100);
        int count = heaptally_get_block_traceback(block, pcs, 64);
        if (limits[i] <= 10)
            EXPECT_EQUAL(count, limits[i]);
        else
            EXPECT(count > 21 && count < 64);
        free(block);
    }
    heaptally_stop();
    EXPECT_EQUAL(heaptally_start(0), HEAPTALLY_FAILED);
    EXPECT_EQUAL(heaptally_start(65536), HEAPTALLY_FAILED);
    EXPECT_EQUAL(heaptally_is_tracing(), 0);
    EXPECT_EQUAL(heaptally_get_traceback_limit(), 5);
}

static bool is_in(const void *pc, void *(*function)(size_t)) {
    return (uintptr_t)pc > (uintptr_t)function && (uintptr_t)pc < (uintptr_t)function + 64;
}

static void get_object_traceback(void) {
    void *pcs[64], *block = allocate(100);
    int count = heaptally_get_block_traceback(block, pcs, 64);
    EXPECT(count >= 3 && count < 64);
    EXPECT(is_in(pcs[0], allocate));
    EXPECT_EQUAL(heaptally_get_block_traceback(block, pcs + 1, 1),
                 count); /* how many there are, not how many fit */
    EXPECT(pcs[1] == pcs[0]);
    EXPECT_EQUAL(heaptally_get_block_traceback(block, NULL, 0), count);
    EXPECT_EQUAL(heaptally_get_block_traceback((char *)block + 1, pcs, 1), HEAPTALLY_FAILED);
    EXPECT_EQUAL(heaptally_get_block_traceback(pcs, pcs, 1), HEAPTALLY_FAILED);
    EXPECT_EQUAL(heaptally_get_block_traceback(NULL, pcs, 1), HEAPTALLY_FAILED);
    free(block);
    EXPECT_EQUAL(heaptally_get_block_traceback(block, pcs, 1), HEAPTALLY_FAILED);
    heaptally_stop();
    EXPECT_EQUAL(heaptally_get_block_traceback(block, pcs, 1), HEAPTALLY_NOT_TRACING);
}

static void get_tracemalloc_memory(void) {
    size_t before = heaptally_get_tracer_memory();
    EXPECT(before > 4096 && before < (size_t)1 << 30);
    for (uintptr_t i = 0; i < 100000; i++)
        heaptally_track(DOMAIN, i, 1);
    EXPECT(heaptally_get_tracer_memory() >= before + 100000 * 32);
}

static void stopped_blocks(void) {
    void *old = allocate(100), *untraced, *pcs[1];
    heaptally_stop();
    untraced = allocate(200);
    EXPECT_EQUAL(heaptally_snapshot("stopped"), 0);
    EXPECT_EQUAL(heaptally_start(16), 0);
    EXPECT_EQUAL(current(), 0);
    EXPECT_EQUAL(heaptally_get_block_traceback(old, pcs, 1), HEAPTALLY_FAILED);
    EXPECT_EQUAL(heaptally_get_block_traceback(untraced, pcs, 1), HEAPTALLY_FAILED);
    void *traced = allocate(300);
    EXPECT_EQUAL(current(), 300);
    free(old);
    untraced = realloc(untraced, 400);
    EXPECT_EQUAL(current(), 700); /* what a realloc gives is new */
    free(untraced);
    free(traced);
    EXPECT_EQUAL(current(), 0);
}

/* Blocks that were freed while nobody looked, and their addresses given out again. */
static void reused_addresses(void) {
    void *blocks[100];
    for (int i = 0; i < 100; i++)
        blocks[i] = allocate(64);
    heaptally_stop();
    for (int i = 0; i < 100; i++)
        free(blocks[i]);
    heaptally_start(16);
    for (int i = 0; i < 100; i++)
        blocks[i] = allocate(64);
    EXPECT_EQUAL(current(), 6400);
    for (int i = 0; i < 100; i++)
        free(blocks[i]);
    EXPECT_EQUAL(current(), 0);
}

static void track(void) {
    size_t before = current();
    errno = 77;
    EXPECT_EQUAL(heaptally_track(DOMAIN, 0x1000, 5000), 0);
    EXPECT_EQUAL(current(), before + 5000);
    EXPECT_EQUAL(heaptally_track(DOMAIN, 0x1000, 300), 0); /* already tracked: the new size */
    EXPECT_EQUAL(current(), before + 300);
    EXPECT_EQUAL(heaptally_track(DOMAIN + 1, 0x1000, 70), 0); /* another domain: another block */
    EXPECT_EQUAL(current(), before + 370);
    EXPECT_EQUAL(heaptally_track(DOMAIN, UINTPTR_MAX, 1), 0);
    EXPECT_EQUAL(heaptally_track(DOMAIN, 0, 2), 0);
    EXPECT_EQUAL(current(), before + 373);
    EXPECT_EQUAL(heaptally_untrack(DOMAIN, 0x1000), 0);
    EXPECT_EQUAL(heaptally_untrack(DOMAIN, UINTPTR_MAX), 0);
    EXPECT_EQUAL(heaptally_untrack(DOMAIN, 0), 0);
    EXPECT_EQUAL(current(), before + 70);
    EXPECT_EQUAL(heaptally_untrack(DOMAIN, 0x1000), 0); /* not tracked: nothing happens */
    EXPECT_EQUAL(heaptally_untrack(DOMAIN + 2, 0x1000), 0);
    EXPECT_EQUAL(heaptally_untrack(DOMAIN + 1, 0x1000), 0);
    EXPECT_EQUAL(current(), before);
    EXPECT_EQUAL(errno, 77);
}

static void track_heap(void) {
    void *pcs[8], *block = allocate(100);
    size_t before = current();
    EXPECT_EQUAL(heaptally_track(0, (uintptr_t)block, 150), 0); /* already tracked by malloc */
    EXPECT_EQUAL(current(), before + 50);
    EXPECT(heaptally_get_block_traceback(block, pcs, 8) > 0);
    EXPECT(!is_in(pcs[0], allocate));
    EXPECT_EQUAL(heaptally_untrack(0, (uintptr_t)block), 0);
    EXPECT_EQUAL(current(), before - 100);
    EXPECT_EQUAL(heaptally_get_block_traceback(block, pcs, 8), HEAPTALLY_FAILED);
}

static void stop_track(void) {
    EXPECT_EQUAL(heaptally_track(DOMAIN, 1, 100), 0);
    heaptally_stop();
    EXPECT_EQUAL(heaptally_track(DOMAIN, 1, 100), HEAPTALLY_NOT_TRACING);
    EXPECT_EQUAL(heaptally_untrack(DOMAIN, 1), HEAPTALLY_NOT_TRACING);
    heaptally_start(16);
    EXPECT_EQUAL(current(), 0);
    EXPECT_EQUAL(heaptally_untrack(DOMAIN, 1), 0); /* of before: forgotten */
    EXPECT_EQUAL(current(), 0);
    EXPECT_EQUAL(heaptally_track(DOMAIN, 1, 10), 0);
    EXPECT_EQUAL(current(), 10);
}

/* More keys than the first tables have places. */
static void track_many(void) {
    size_t before = current();
    for (uintptr_t i = 0; i < 200000; i++)
        EXPECT_EQUAL(heaptally_track(DOMAIN + (unsigned)(i % 3), i << (i % 20), 1 + i % 7), 0);
    for (uintptr_t i = 0; i < 200000; i++)
        EXPECT_EQUAL(heaptally_untrack(DOMAIN + (unsigned)(i % 3), i << (i % 20)), 0);
    EXPECT_EQUAL(current(), before);
}

static void scopes(void) {
    struct heaptally_scope scope;
    EXPECT_EQUAL(heaptally_scope_end(), HEAPTALLY_FAILED);
    EXPECT_EQUAL(heaptally_get_scope("load", &scope), HEAPTALLY_FAILED);
    EXPECT_EQUAL(heaptally_scope_begin("load"), 0);
    void *kept = allocate(1000), *gone = allocate(5000);
    free(gone);
    EXPECT_EQUAL(heaptally_scope_begin("par/se"), 0);
    void *inner = allocate(300);
    EXPECT_EQUAL(heaptally_track(DOMAIN, 7, 20), 0);
    EXPECT_EQUAL(heaptally_scope_end(), 0);
    EXPECT_EQUAL(heaptally_scope_end(), 0);
    void *outside = allocate(100000);
    EXPECT_EQUAL(heaptally_get_scope("load", &scope), 0);
    EXPECT_EQUAL(scope.begun, 1);
    EXPECT_EQUAL(scope.allocations, 4);
    EXPECT_EQUAL(scope.allocated_bytes, 6320);
    EXPECT_EQUAL(scope.live_blocks, 3);
    EXPECT_EQUAL(scope.live_bytes, 1320);
    EXPECT_EQUAL(scope.peak_bytes, 6000);
    EXPECT_EQUAL(heaptally_get_scope("load/par_se", &scope), 0);
    EXPECT_EQUAL(scope.allocations, 2);
    EXPECT_EQUAL(scope.live_bytes, 320);
    free(inner); /* outside of the scope: its block all the same */
    EXPECT_EQUAL(heaptally_untrack(DOMAIN, 7), 0);
    EXPECT_EQUAL(heaptally_get_scope("load/par_se", &scope), 0);
    EXPECT(scope.live_blocks == 0 && scope.live_bytes == 0 && scope.peak_bytes == 320);
    EXPECT_EQUAL(heaptally_scope_begin("load"), 0);
    kept = realloc(kept, 2000);
    EXPECT_EQUAL(heaptally_scope_end(), 0);
    EXPECT_EQUAL(heaptally_get_scope("load", &scope), 0);
    EXPECT(scope.begun == 2 && scope.live_blocks == 1 && scope.live_bytes == 2000);
    EXPECT_EQUAL(heaptally_clear_traces(), 0);
    EXPECT_EQUAL(heaptally_get_scope("load", &scope), 0);
    EXPECT(scope.begun == 0 && scope.live_bytes == 0 && scope.peak_bytes == 0);
    free(kept);
    free(outside);
    EXPECT_EQUAL(heaptally_get_scope("load", &scope), 0);
    EXPECT(scope.live_bytes == 0 && scope.live_blocks == 0);
}

static void deep_scopes(void) {
    struct heaptally_scope scope;
    for (int i = 0; i < 64; i++)
        EXPECT_EQUAL(heaptally_scope_begin("s"), 0);
    for (int i = 0; i < 100; i++)
        EXPECT_EQUAL(heaptally_scope_begin("s"), HEAPTALLY_FAILED);
    void *block = allocate(10);
    for (int i = 0; i < 164; i++)
        EXPECT_EQUAL(heaptally_scope_end(), 0);
    EXPECT_EQUAL(heaptally_scope_end(), HEAPTALLY_FAILED);
    EXPECT_EQUAL(heaptally_get_scope("s/s/s", &scope), 0);
    EXPECT_EQUAL(scope.live_bytes, 10);
    char long_name[2000];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    EXPECT_EQUAL(heaptally_scope_begin(long_name), HEAPTALLY_FAILED);
    EXPECT_EQUAL(heaptally_scope_end(), 0);
    free(block);
}

/* What the report is then asked about. */
static void reported(void) {
    heaptally_clear_traces();
    heaptally_name_domain(DOMAIN, "numpy");
    heaptally_track(DOMAIN, 1, 7000000);
    heaptally_scope_begin("load");
    void *loaded = allocate(2000000);
    heaptally_set_tag("customer 7");
    void *tagged = allocate(300000);
    heaptally_scope_begin("parse");
    void *parsed = allocate(40000);
    heaptally_scope_end();
    heaptally_scope_end(); /* and the tag's */
    void *plain = allocate(5000);
    heaptally_set_tag("customer 8");
    void *other = allocate(600);
    heaptally_set_tag(NULL);
    EXPECT(heaptally_snapshot("reported") != 0);
    free(loaded);
    free(tagged);
    free(parsed);
    free(plain);
    free(other);
}

/* A child has its parent's blocks, domains and scopes. */
static void forked(void) {
    struct heaptally_scope scope;
    heaptally_clear_traces();
    heaptally_track(DOMAIN, 1, 100);
    heaptally_scope_begin("parent");
    void *block = allocate(1000);
    pid_t child = fork();
    if (child == 0) {
        void *own = allocate(20); /* in the scope still */
        EXPECT_EQUAL(heaptally_get_scope("parent", &scope), 0);
        EXPECT_EQUAL(scope.live_bytes, 1020);
        EXPECT_EQUAL(current(), 1120);
        EXPECT_EQUAL(heaptally_untrack(DOMAIN, 1), 0);
        free(block);
        EXPECT_EQUAL(current(), 20);
        EXPECT_EQUAL(heaptally_scope_end(), 0);
        EXPECT_EQUAL(heaptally_stop(), 0);
        EXPECT_EQUAL(heaptally_start(5), 0);
        free(own);
        EXPECT_EQUAL(current(), 0);
        _exit(0);
    }
    int status;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT_EQUAL(current(), 1100);
    heaptally_stop();
    child = fork();
    if (child == 0) {
        EXPECT_EQUAL(heaptally_is_tracing(), 0);
        EXPECT_EQUAL(heaptally_start(5), 0);
        void *own = allocate(20);
        EXPECT_EQUAL(current(), 20);
        free(own);
        _exit(0);
    }
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    free(block);
}

/* Clears ever so often, 40,000 times, and each time 1 KiB of cells is used up: they serve again after some
 * seconds, but those of blocks that stay. */
static void clear_forever(void) {
    void *block, *kept[20];
    size_t before = heaptally_get_tracer_memory();
    for (int round = 0; round < 20; round++) {
        struct timespec pause = {.tv_nsec = 600000000};
        for (int i = 0; i < 4000; i++) {
            block = deeper(i % 10, 10);
            if (i % 2 == 0)
                EXPECT_EQUAL(heaptally_clear_traces(), 0);
            free(block);
        }
        nanosleep(&pause, NULL);
        kept[round] = deeper(round, 1000000);
    }
    EXPECT(heaptally_get_tracer_memory() < before + ((size_t)26 << 20));
    heaptally_clear_traces();
    block = deeper(3, 50);
    EXPECT_EQUAL(current(), 50);
    for (int round = 0; round < 20; round++)
        free(kept[round]);
    EXPECT_EQUAL(current(), 50);
    free(block);
}

/* Under HEAPTALLY_START=0. */
static void start_later(void) {
    EXPECT(heaptally_find_api() != NULL);
    EXPECT_EQUAL(heaptally_is_tracing(), 0);
    void *before = allocate(100);
    EXPECT(current() == 0 && peak() == 0);
    EXPECT_EQUAL(heaptally_start(33), 0);
    EXPECT_EQUAL(heaptally_get_traceback_limit(), 33);
    void *after = allocate(200);
    EXPECT_EQUAL(current(), 200);
    free(before);
    EXPECT_EQUAL(current(), 200);
    free(after);
    EXPECT_EQUAL(current(), 0);
}

static size_t in_constructor;
static int at_exit;

__attribute__((constructor)) static void early(void) {
    in_constructor = current();
}

static void late(void) {
    void *block = allocate(11);
    EXPECT_EQUAL(heaptally_track(DOMAIN, 5, 6), at_exit);
    EXPECT_EQUAL(heaptally_scope_begin("late"), at_exit);
    EXPECT_EQUAL(heaptally_scope_end(), at_exit);
    free(block);
}

static void constructors_and_exit(void) {
    EXPECT(in_constructor < 1 << 20);
    EXPECT_EQUAL(atexit(late), 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} parts[] = {
#define PART(name)                                                                                           \
    { #name, name }
    PART(absent),
    PART(get_traced_memory),
    PART(reset_peak),
    PART(clear_traces),
    PART(is_tracing),
    PART(reported),
    PART(get_object_traceback),
    PART(get_tracemalloc_memory),
    PART(stopped_blocks),
    PART(track),
    PART(stop_track),
    PART(set_traceback_limit),
    PART(reused_addresses),
    PART(track_many),
    PART(track_heap),
    PART(constructors_and_exit),
    PART(scopes),
    PART(deep_scopes),
    PART(forked),
    PART(clear_forever),
    PART(start_later),
};

int main(int count, char **arguments) {
    for (size_t i = 0; count == 2 && i < sizeof parts / sizeof *parts; i++)
        if (strcmp(parts[i].name, arguments[1]) == 0) {
            parts[i].run();
            return 0;
        }
    dprintf(STDERR_FILENO, "usage: talks PART\n");
    return 2;
}
