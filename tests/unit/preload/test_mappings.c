/* test_mappings.c - the ledger against an array of pages; threads, forked children and killed ones. */
#define _GNU_SOURCE
#include "support.h"

#include "mappings.h"
#include "platform/sys.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGES 200u
#define BASE  ((uintptr_t)1 << 40)
#define CELLS 16u

/* What was counted. */
struct sums {
    uint64_t allocations[CELLS], allocated_bytes[CELLS], frees[CELLS], freed_bytes[CELLS];
};

static void count(void *to, uint32_t cell, uint32_t blocks, uint64_t size_bytes, bool freed) {
    struct sums *sums = to;
    CHECK(cell < CELLS);
    *(freed ? &sums->frees[cell] : &sums->allocations[cell]) += blocks;
    *(freed ? &sums->freed_bytes[cell] : &sums->allocated_bytes[cell]) += size_bytes;
}

static struct sums visited;

static void visit(uint32_t cell, uint64_t size_bytes) {
    count(&visited, cell, 1, size_bytes, false);
}

static void visit_all(void) {
    memset(&visited, 0, sizeof visited);
    mappings_each(visit);
}

static void enter(uintptr_t start, uintptr_t end, uint32_t cell, struct sums *sums) {
    struct mappings_taken replaced;
    CHECK(mappings_enter(start, end, cell, &replaced));
    mappings_release(replaced, count, sums);
    count(sums, cell, 1, end - start, false);
}

/* Unmaps, or tries to. */
static void unmap(uintptr_t start, uintptr_t end, bool fails, struct sums *sums) {
    struct mappings_taken taken;
    CHECK(mappings_take(start, end, &taken));
    if (fails)
        CHECK(mappings_restore(taken, false, count, sums) == 0);
    else
        mappings_release(taken, count, sums);
}

/* Takes everything out; counts of a ledger with nothing in it are balanced. */
static void expect_empty_and_balanced(struct sums *sums) {
    unmap(1, UINTPTR_MAX, false, sums);
    for (uint32_t cell = 0; cell < CELLS; cell++) {
        CHECK(sums->allocations[cell] == sums->frees[cell]);
        CHECK(sums->allocated_bytes[cell] == sums->freed_bytes[cell]);
    }
    visit_all();
    for (uint32_t cell = 0; cell < CELLS; cell++)
        CHECK(visited.allocations[cell] == 0);
}

/* ---- the plain way: who has a page, by the number of the call that mapped it ---- */

static uint32_t calls[PAGES]; /* 0: nobody */
static uint32_t cell_of_call[100000];

static void expect_pages(const struct sums *sums) {
    uint64_t pieces[CELLS] = {0}, bytes[CELLS] = {0};
    for (uint32_t i = 0; i < PAGES; i++) {
        if (calls[i] == 0)
            continue;
        uint32_t cell = cell_of_call[calls[i]];
        bytes[cell] += 4096;
        pieces[cell] += i == 0 || calls[i - 1] != calls[i];
    }
    visit_all();
    for (uint32_t cell = 0; cell < CELLS; cell++) {
        CHECK(sums->allocations[cell] - sums->frees[cell] == pieces[cell]);
        CHECK(sums->allocated_bytes[cell] - sums->freed_bytes[cell] == bytes[cell]);
        CHECK(visited.allocations[cell] == pieces[cell]);
        CHECK(visited.allocated_bytes[cell] == bytes[cell]);
    }
}

static void agrees_with_pages(void **state) {
    (void)state;
    static struct sums sums;
    uint64_t random = 11;
    for (uint32_t i = 1; i < SCALED(40000); i++) {
        uint32_t first = (uint32_t)random_below(&random, PAGES);
        uint32_t end = first + 1 + (uint32_t)random_below(&random, i % 3 == 0 ? 60 : 4);
        uint64_t what = random_below(&random, 5);
        end = end < PAGES ? end : PAGES;
        cell_of_call[i] = (uint32_t)random_below(&random, CELLS);
        if (what < 2)
            enter(BASE + first * 4096, BASE + end * 4096, cell_of_call[i], &sums);
        else
            unmap(BASE + first * 4096, BASE + end * 4096, what == 4, &sums);
        for (uint32_t page = first; page < end && what != 4; page++)
            calls[page] = what < 2 ? i : 0;
        if (i % 16 == 0)
            expect_pages(&sums);
    }
    expect_empty_and_balanced(&sums);
    assert_int_equal(failed_checks(), 0);
}

/* ---- single properties ---- */

static void counts_parts(void **state) {
    (void)state;
    struct sums sums = {0};
    enter(BASE, BASE + 10000, 3, &sums);
    assert_int_equal(sums.allocations[3], 1);
    unmap(BASE + 2000, BASE + 3000, false, &sums); /* the middle: two pieces */
    assert_int_equal(sums.allocations[3], 2);
    assert_int_equal(sums.allocated_bytes[3], 10000);
    assert_int_equal(sums.frees[3], 0);
    assert_int_equal(sums.freed_bytes[3], 1000);
    unmap(BASE, BASE + 1000, false, &sums); /* the edge of one */
    assert_int_equal(sums.frees[3], 0);
    assert_int_equal(sums.freed_bytes[3], 2000);
    unmap(BASE + 500, BASE + 2500, false, &sums); /* the rest of it */
    assert_int_equal(sums.frees[3], 1);
    assert_int_equal(sums.freed_bytes[3], 3000);
    unmap(BASE + 9000, BASE + 99999, true, &sums); /* refused */
    assert_int_equal(sums.freed_bytes[3], 3000);
    assert_int_equal(sums.allocations[3], 2);
    unmap(BASE, BASE + 10000, false, &sums);
    expect_empty_and_balanced(&sums);
    unmap(5, 5, false, &sums);
    unmap(6, 5, false, &sums);
    expect_empty_and_balanced(&sums);
}

/* Another thread has unmapped the rest meanwhile: what comes back is a block of its own. */
static void restores_what_lost_its_rest(void **state) {
    (void)state;
    struct sums sums = {0};
    struct mappings_taken taken;
    enter(BASE, BASE + 3000, 1, &sums);
    assert_true(mappings_take(BASE + 1000, BASE + 2000, &taken));
    unmap(BASE, BASE + 1000, false, &sums);
    assert_int_equal(mappings_restore(taken, false, count, &sums), 0);
    visit_all();
    assert_int_equal(visited.allocations[1], sums.allocations[1] - sums.frees[1]);
    assert_int_equal(visited.allocated_bytes[1], 2000);
    expect_empty_and_balanced(&sums);
}

/* A call that failed may have unmapped some all the same. */
static void restores_what_is_mapped(void **state) {
    (void)state;
    struct sums sums = {0};
    struct mappings_taken taken;
    char *pages = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t at = (uintptr_t)pages;
    assert_ptr_not_equal(pages, MAP_FAILED);
    enter(at, at + 4096, 1, &sums);
    enter(at + 4096, at + 2 * 4096, 2, &sums);
    enter(at + 2 * 4096, at + 3 * 4096, 3, &sums);
    assert_int_equal(munmap(pages + 4096, 4096), 0);
    assert_true(mappings_take(at, at + 3 * 4096, &taken));
    assert_int_equal(mappings_restore(taken, true, count, &sums), 0);
    visit_all();
    assert_int_equal(visited.allocations[1], 1);
    assert_int_equal(visited.allocations[2], 0);
    assert_int_equal(visited.allocations[3], 1);
    assert_int_equal(sums.frees[2], 1);
    assert_int_equal(munmap(pages, 3 * 4096), 0);
    expect_empty_and_balanced(&sums);
}

/* Ranges that touch are one to the kernel, and many here. */
static void holds_very_many(void **state) {
    (void)state;
    const uint32_t many = SCALED(200000);
    struct sums sums = {0};
    for (uint32_t i = 0; i < many; i++)
        enter(BASE + (many - i) * 4096, BASE + (many - i + 1) * 4096, i % CELLS, &sums);
    visit_all();
    assert_int_equal(visited.allocations[5], many / CELLS);
    for (uint32_t i = 0; i < many; i += 2)
        unmap(BASE + (i + 1) * 4096, BASE + (i + 2) * 4096, false, &sums);
    expect_empty_and_balanced(&sums);
    assert_int_equal(failed_checks(), 0);
}

/* ---- threads ---- */

#define THREADS 4u

static struct sums sums_of[THREADS];

/* Each in addresses of its own. */
static void *work(void *argument) {
    uint64_t random = (uintptr_t)argument;
    uintptr_t base = BASE + (uintptr_t)argument * 64 * PAGES * 4096;
    struct sums *sums = &sums_of[(uintptr_t)argument];
    for (uint32_t i = 0; i < SCALED(4000); i++) {
        uintptr_t start = base + random_below(&random, PAGES) * 4096;
        uintptr_t end = start + (1 + random_below(&random, 20)) * 4096;
        if (random_below(&random, 2) == 0)
            enter(start, end, (uint32_t)random_below(&random, CELLS), sums);
        else
            unmap(start, end, random_below(&random, 3) == 0, sums);
    }
    return NULL;
}

static void serves_threads(void **state) {
    (void)state;
    static struct sums all;
    pthread_t ids[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, work, (void *)i), 0);
    for (uint32_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(ids[i], NULL), 0);
    for (uint32_t i = 0; i < THREADS; i++)
        for (uint32_t cell = 0; cell < CELLS; cell++) {
            all.allocations[cell] += sums_of[i].allocations[cell];
            all.allocated_bytes[cell] += sums_of[i].allocated_bytes[cell];
            all.frees[cell] += sums_of[i].frees[cell];
            all.freed_bytes[cell] += sums_of[i].freed_bytes[cell];
        }
    expect_empty_and_balanced(&all);
    assert_int_equal(failed_checks(), 0);
}

/* ---- processes ---- */

#define RANGE ((uintptr_t)100 * 4096)

static struct sums scratch;
static bool stop; /* (atomic) */

/* Takes parts of one range out and puts them back, for ever. */
static void churn_once(uint64_t *random) {
    uintptr_t start = BASE + random_below(random, 100) * 4096, end = start + 5 * 4096;
    unmap(start, end < BASE + RANGE ? end : BASE + RANGE, true, &scratch);
}

static void *churn(void *argument) {
    uint64_t random = 3;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        churn_once(&random);
    return argument;
}

/* Whatever moment it was: the pieces are of the range, disjoint, and all of it but the five pages that may
 * have been taken out; and the ledger works. out: bytes that were taken out before, by who never came back.
 */
static void expect_range(uint64_t out) {
    struct sums sums = {0};
    visit_all();
    uint64_t all = visited.allocated_bytes[7] - out;
    CHECK(all <= RANGE && all >= RANGE - 5 * 4096);
    unmap(BASE, BASE + RANGE, false, &sums);
    visit_all();
    uint64_t more_out = visited.allocated_bytes[7] - out;
    CHECK(sums.freed_bytes[7] == all - more_out && more_out <= 5 * 4096);
    enter(BASE, BASE + RANGE, 7, &sums);
}

static void in_the_child(void) {
    mappings_after_fork();
    expect_range(0);
}

static void survives_forks(void **state) {
    (void)state;
    pthread_t id;
    struct sums sums = {0};
    enter(BASE, BASE + RANGE, 7, &sums);
    assert_int_equal(pthread_create(&id, NULL, churn, NULL), 0);
    for (uint32_t i = 0; i < SCALED(100); i++)
        assert_int_equal(in_child(in_the_child), 0);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(id, NULL), 0);
    unmap(BASE, BASE + RANGE, false, &sums);
    expect_empty_and_balanced(&sums);
}

/* What was taken before the fork is not given back to the child's ledger. */
static struct mappings_taken taken_before;

static void ends_what_the_parent_began(void) {
    struct sums sums = {0};
    mappings_after_fork();
    enter(BASE, BASE + 4096, 2, &sums); /* in a place that the taken pieces had */
    mappings_release(taken_before, count, &sums);
    CHECK(sums.frees[1] == 0);
    CHECK(mappings_restore(taken_before, false, count, &sums) == 0);
    visit_all();
    CHECK(visited.allocations[1] == 0 && visited.allocations[2] == 1);
}

static void a_fork_voids_what_was_taken(void **state) {
    (void)state;
    struct sums sums = {0};
    enter(BASE, BASE + 8192, 1, &sums);
    assert_true(mappings_take(BASE, BASE + 8192, &taken_before));
    assert_int_equal(in_child(ends_what_the_parent_began), 0);
    mappings_release(taken_before, count, &sums);
    expect_empty_and_balanced(&sums);
}

#ifndef UNIT_LIGHT /* a sanitizer does not know such processes */
static int churn_in_shared_memory(void *argument) {
    uint64_t random = *(uint64_t *)argument;
    for (;;)
        churn_once(&random);
    return 0;
}

/* As a vfork child, which shares the memory, may be. The pieces that it had taken out stay out. */
static void survives_a_killed_holder(void **state) {
    (void)state;
    static char stack[65536] __attribute__((aligned(16)));
    uint64_t random = 5;
    for (uint32_t i = 0; i < 40; i++) {
        struct sums sums = {0};
        int status;
        visit_all();
        uint64_t out = visited.allocated_bytes[7];
        enter(BASE, BASE + RANGE, 7, &sums);
        pid_t child = clone(churn_in_shared_memory, stack + sizeof stack, CLONE_VM | SIGCHLD, &random);
        assert_true(child > 0);
        for (uint64_t turns = 20 + random_below(&random, 40); turns != 0; turns--)
            sched_yield();
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        unmap(1, 2, false, &sums); /* whoever comes next sets it right */
        expect_range(out);
        unmap(BASE, BASE + RANGE, false, &sums);
        assert_int_equal(failed_checks(), 0);
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_pages),
        cmocka_unit_test(counts_parts),
        cmocka_unit_test(restores_what_lost_its_rest),
        cmocka_unit_test(restores_what_is_mapped),
        cmocka_unit_test(serves_threads),
        cmocka_unit_test(survives_forks),
        cmocka_unit_test(a_fork_voids_what_was_taken),
        cmocka_unit_test(holds_very_many),
#ifndef UNIT_LIGHT
        cmocka_unit_test(survives_a_killed_holder), /* last: what was taken out stays out */
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
