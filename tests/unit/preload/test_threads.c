/* test_threads.c - slots: claimed, inherited from the dead, never shared. */
#define _GNU_SOURCE
#include "support.h"

#include "image/counters.h"
#include "image/image.h"
#include "image/cells.h"
#include "image/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK 500u

static struct thread *first;

static uint64_t slots_used(void) {
    return image_header->regions[HT_REGION_SLOTS].used_records - 1;
}

static uint64_t sum_of_allocations(void) {
    uint64_t sum = 0;
    for (uint64_t i = 1; i < image_header->regions[HT_REGION_CELLS].used_records; i++)
        sum += __atomic_load_n(&image_cells[i].allocations, __ATOMIC_RELAXED);
    return sum;
}

/* What a thread of a test does; `holders` says who holds which slot. */
static uint32_t holders[4096];

static void use_slot(uint32_t events) {
    struct thread *self = threads_claim();
    if (!CHECK(self != NULL))
        return;
    CHECK(__atomic_fetch_add(&holders[self->slot], 1, __ATOMIC_RELAXED) == 0);
    CHECK(image_slots[self->slot].tid == (uint32_t)syscall(SYS_gettid));
    for (uint32_t i = 0; i < events; i++) {
        uint32_t cell = cells_find(self, STACK + i % 7);
        CHECK(image_cells[cell].slot == self->slot && image_cells[cell].stack == STACK + i % 7);
        counters_allocated(self, cell, 10);
    }
    __atomic_fetch_sub(&holders[self->slot], 1, __ATOMIC_RELAXED);
}

static void *short_life(void *unused) {
    (void)unused;
    use_slot(10);
    return NULL;
}

static void run_thread(void *(*body)(void *), void *argument) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
    pthread_join(thread, NULL);
}

static void has_cells_for_reasons(void **state) {
    (void)state;
    struct thread *self = first = threads_claim();
    assert_non_null(self);
    assert_true(self->overflow_cell != 0 && self->unattributed_cell != 0);
    assert_int_equal(image_cells[self->overflow_cell].stack, HT_STACK_OVERFLOW);
    assert_int_equal(image_cells[self->unattributed_cell].stack, HT_STACK_UNATTRIBUTED);
    assert_int_equal(cells_find(self, HT_STACK_FIRST), cells_find(self, HT_STACK_FIRST));
    assert_int_not_equal(cells_find(self, HT_STACK_FIRST), cells_find(self, HT_STACK_FIRST + 1));
    assert_int_equal(image_header->totals.slots_in_use, 1);
}

static void lets_the_next_inherit(void **state) {
    (void)state;
    uint64_t before = slots_used(), sum = sum_of_allocations(), threads = 0;
    for (int i = 0; i < SCALED(2000); i++)
        run_thread(short_life, NULL);
    printf("%d threads in turn used %llu slots\n", SCALED(2000), (unsigned long long)(slots_used() - before));
    assert_true(slots_used() - before <= 16);
    assert_int_equal(failed_checks(), 0);
    assert_true(sum_of_allocations() == sum + 10 * (uint64_t)SCALED(2000));
    for (uint64_t i = 1; i <= slots_used(); i++)
        threads += image_slots[i].threads;
    assert_true(threads == 1 + (uint64_t)SCALED(2000));
}

/* ---- at the same time ---- */

#define CROWD 32

static pthread_barrier_t all_claimed;

static void *meet(void *unused) {
    (void)unused;
    struct thread *self = threads_claim();
    CHECK(self != NULL && __atomic_fetch_add(&holders[self->slot], 1, __ATOMIC_RELAXED) == 0);
    pthread_barrier_wait(&all_claimed); /* none dies before all have claimed */
    __atomic_fetch_sub(&holders[self->slot], 1, __ATOMIC_RELAXED);
    return NULL;
}

static void gives_each_its_own(void **state) {
    (void)state;
    pthread_t threads[CROWD];
    pthread_barrier_init(&all_claimed, NULL, CROWD);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < CROWD; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, meet, NULL), 0);
        for (int i = 0; i < CROWD; i++)
            pthread_join(threads[i], NULL);
    }
    assert_int_equal(failed_checks(), 0);
    assert_true(slots_used() < 20 * CROWD / 2);
    assert_int_equal(image_header->totals.slots_in_use, slots_used());
}

#if !defined(__SANITIZE_THREAD__)
/* Threads that end while others look for a slot: who shares one sees the other's mark. */
static void *spawn_short_lives(void *unused) {
    (void)unused;
    for (int i = 0; i < SCALED(500); i++) {
        pthread_t thread;
        if (CHECK(pthread_create(&thread, NULL, short_life, NULL) == 0))
            pthread_join(thread, NULL);
    }
    return NULL;
}
#endif

static void never_shares_a_slot(void **state) {
    (void)state;
#if defined(__SANITIZE_THREAD__)
    skip(); /* that a thread's stores precede its end is known to the kernel alone */
#else
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spawn_short_lives, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failed_checks(), 0);
#endif
}

/* ---- processes ---- */

static void forked_body(void) {
    struct thread *self = first;
    uint64_t bound = slots_used();
    threads_after_fork(self);
    CHECK(image_slots[self->slot].tid == (uint32_t)syscall(SYS_gettid));
    for (uint64_t i = 1; i <= bound; i++)
        CHECK(i == self->slot || image_slots[i].tid == 0);
    CHECK(image_header->totals.slots_in_use == 1);
#if !defined(__SANITIZE_THREAD__) /* a forked child may not start threads there */
    pthread_t threads[CROWD];
    image_header->pid = (uint32_t)getpid();
    memset(holders, 0, sizeof holders);
    for (int i = 0; i < CROWD; i++)
        CHECK(pthread_create(&threads[i], NULL, meet, NULL) == 0);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    CHECK(image_header->totals.slots_in_use == 1 + CROWD); /* the quantum depends on it */
#endif
}

static void frees_all_but_one_after_a_fork(void **state) {
    (void)state;
    assert_int_equal(in_child(forked_body), 0);
}

/* Tables full: no thread gets a slot, and asking costs nothing more, however often. */
static void *ask_in_vain(void *unused) {
    uint64_t used = 0, private_bytes = 0;
    (void)unused;
    for (int i = 0; i < 1000; i++) {
        CHECK(threads_claim() == NULL);
        if (i == 0) {
            used = slots_used();
            private_bytes = image_header->private_bytes;
        }
    }
    CHECK(slots_used() == used && image_header->private_bytes == private_bytes);
    return NULL;
}

static void full_body(void) {
    image_header->pid = (uint32_t)getpid();
    image_header->budget_bytes = image_header->committed_bytes;
    while (image_take(HT_REGION_CELLS, 1) != 0)
        ;
    for (uint64_t i = 1; i <= slots_used(); i++)
        image_slots[i].tid = (uint32_t)getpid(); /* alive */
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, ask_in_vain, NULL) == 0);
    pthread_join(thread, NULL);
    /* who has a slot counts on, in its overflow cell once the last chunk of cells is used up */
    uint32_t cell = 0;
    for (uint32_t i = 0; i < 1u << CELLS_CHUNK_BITS; i++)
        cell = cells_find(first, 1999999 - i);
    CHECK(cell == first->overflow_cell);
}

static void gives_up_when_full(void **state) {
    (void)state;
#if defined(__SANITIZE_THREAD__)
    skip(); /* a forked child may not start threads there */
#endif
    assert_int_equal(in_child(full_body), 0);
}

/* A process that shares our memory but is another one (vfork) must not take a living thread's slot. */
static int claim_in_vfork_child(void *result) {
    struct thread *self = threads_claim();
    *(uint32_t *)result = self != NULL ? self->slot : 0;
    return 0;
}

static void gives_nothing_to_a_vfork_child(void **state) {
    (void)state;
    static char stack[65536];
    uint32_t slot = UINT32_MAX;
    int child = clone(claim_in_vfork_child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &slot);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(slot, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_cells_for_reasons),
        cmocka_unit_test(lets_the_next_inherit),
        cmocka_unit_test(gives_nothing_to_a_vfork_child),
        cmocka_unit_test(gives_each_its_own),
        cmocka_unit_test(never_shares_a_slot),
        cmocka_unit_test(frees_all_but_one_after_a_fork),
        cmocka_unit_test(gives_up_when_full), /* fills the tables, which are shared: last */
    };
    return cmocka_run_group_tests(tests, setup_image, NULL);
}
