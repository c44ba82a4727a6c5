/* test_counters.c - sums and the peak by stack, against an exact log of events. */
#include "support.h"

#include "image/counters.h"
#include "image/image.h"
#include "image/cells.h"
#include "image/threads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define STACKS 24u
#define FIRST  1000u /* made-up stack ids: counters do not look at stacks */
#define LIVE   4096u

static struct thread *self;

/* As after a fork: what slots held back is void, too (threads_after_fork sees to it there). */
static void start_over(void) {
    for (uint64_t i = 1; i < image_header->regions[HT_REGION_SLOTS].used_records; i++)
        image_slots[i].unflushed_bytes = 0;
    counters_reset();
}

/* ---- the oracle ---- */

struct log {
    uint64_t live, max;
    uint64_t bytes[STACKS], blocks[STACKS];
    uint64_t peak_bytes[STACKS], peak_blocks[STACKS];
    uint64_t allocations, allocated_bytes, frees, freed_bytes;
};

static void log_allocation(struct log *log, uint32_t stack, uint64_t size) {
    log->live += size;
    log->bytes[stack] += size;
    log->blocks[stack]++;
    log->allocations++;
    log->allocated_bytes += size;
    if (log->live > log->max) {
        log->max = log->live;
        memcpy(log->peak_bytes, log->bytes, sizeof log->bytes);
        memcpy(log->peak_blocks, log->blocks, sizeof log->blocks);
    }
}

static void log_free(struct log *log, uint32_t stack, uint64_t size) {
    log->live -= size;
    log->bytes[stack] -= size;
    log->blocks[stack]--;
    log->frees++;
    log->freed_bytes += size;
}

/* ---- what a reader makes of the cells ---- */

struct sums {
    int64_t bytes[STACKS], blocks[STACKS], peak_bytes[STACKS], peak_blocks[STACKS];
    int64_t live, peak;
    uint64_t allocations, allocated_bytes, frees, freed_bytes;
};

static bool live_is_the_peak(void) {
    int64_t live = (int64_t)image_header->totals.live_bytes;
    for (uint64_t i = 1; i < image_header->regions[HT_REGION_SLOTS].used_records; i++)
        live += image_slots[i].unflushed_bytes;
    return live > (int64_t)image_header->totals.peak_bytes;
}

static struct sums read_cells(void) {
    struct sums sums;
    bool all_live = live_is_the_peak();
    memset(&sums, 0, sizeof sums);
    for (uint64_t i = 1; i < image_header->regions[HT_REGION_CELLS].used_records; i++) {
        const struct ht_cell *cell = &image_cells[i];
        assert_int_equal(cell->write_sequence % 2, 0);
        int64_t bytes = (int64_t)(cell->allocated_bytes - cell->freed_bytes);
        int64_t blocks = (int64_t)(cell->allocations - cell->frees);
        bool noted = !all_live && cell->peak_sequence == (uint32_t)image_header->totals.peak_sequence;
        sums.live += bytes;
        sums.peak += noted ? cell->peak_bytes : bytes;
        sums.allocations += cell->allocations;
        sums.allocated_bytes += cell->allocated_bytes;
        sums.frees += cell->frees;
        sums.freed_bytes += cell->freed_bytes;
        if (cell->stack < FIRST)
            continue;
        sums.bytes[cell->stack - FIRST] += bytes;
        sums.blocks[cell->stack - FIRST] += blocks;
        sums.peak_bytes[cell->stack - FIRST] += noted ? cell->peak_bytes : bytes;
        sums.peak_blocks[cell->stack - FIRST] += noted ? cell->peak_blocks : blocks;
    }
    return sums;
}

static void same_totals(const struct log *log, const struct sums *sums) {
    assert_true(sums->live == (int64_t)log->live);
    assert_true(sums->allocations == log->allocations && sums->frees == log->frees);
    assert_true(sums->allocated_bytes == log->allocated_bytes && sums->freed_bytes == log->freed_bytes);
    for (uint32_t i = 0; i < STACKS; i++) {
        assert_true(sums->bytes[i] == (int64_t)log->bytes[i]);
        assert_true(sums->blocks[i] == (int64_t)log->blocks[i]);
    }
}

static void same_peak(const struct log *log, const struct sums *sums) {
    assert_true(sums->peak == (int64_t)log->max);
    for (uint32_t i = 0; i < STACKS; i++) {
        assert_true(sums->peak_bytes[i] == (int64_t)log->peak_bytes[i]);
        assert_true(sums->peak_blocks[i] == (int64_t)log->peak_blocks[i]);
    }
}

/* ---- one thread ---- */

struct live_block {
    uint32_t stack;
    uint64_t size;
};

/* The chance of an allocation drifts, so that the heap grows, shrinks and grows beyond its peak. */
static bool allocates(uint64_t *seed, int event, uint32_t live) {
    if (live == 0 || live == LIVE)
        return live == 0;
    return random_below(seed, 100) < (event / 500 % 3 == 1 ? 30u : 60u);
}

static void play(uint64_t seed, int events, uint64_t largest) {
    static struct live_block live[LIVE];
    static struct log log;
    uint32_t count = 0;
    memset(&log, 0, sizeof log);
    start_over();
    for (int i = 0; i < events; i++) {
        if (allocates(&seed, i, count)) {
            struct live_block block = {(uint32_t)random_below(&seed, STACKS),
                                       1 + random_below(&seed, largest)};
            counters_allocated(self, cells_find(self, FIRST + block.stack), block.size);
            log_allocation(&log, block.stack, block.size);
            live[count++] = block;
        } else {
            uint32_t at = (uint32_t)random_below(&seed, count);
            struct live_block block = live[at];
            counters_freed(self, cells_find(self, FIRST + block.stack), block.size);
            log_free(&log, block.stack, block.size);
            live[at] = live[--count];
        }
        if (i % 997 == 0) {
            struct sums sums = read_cells();
            same_peak(&log, &sums);
        }
    }
    struct sums sums = read_cells();
    same_totals(&log, &sums);
    same_peak(&log, &sums);
}

static void equals_the_log(void **state) {
    (void)state;
    assert_int_equal(image_header->totals.quantum_bytes, 0);
    for (uint64_t seed = 1; seed <= (uint64_t)SCALED(60); seed++)
        play(seed, (int)(seed * seed * 30), seed % 3 == 0 ? 4 : (uint64_t)1 << (seed % 20));
}

static void counts_zero_sizes(void **state) {
    (void)state;
    start_over();
    uint32_t cell = cells_find(self, FIRST);
    counters_allocated(self, cell, 0);
    counters_allocated(self, cell, 10);
    counters_freed(self, cell, 0);
    struct sums sums = read_cells();
    assert_int_equal(sums.allocations, 2);
    assert_int_equal(sums.frees, 1);
    assert_int_equal(sums.live, 10);
    assert_int_equal(sums.peak, 10);
}

static void inherits_after_a_fork(void **state) {
    (void)state;
    uint32_t a = cells_find(self, FIRST), b = cells_find(self, FIRST + 1);
    counters_allocated(self, a, 1000);
    start_over();
    counters_inherit(a, 10, true);
    counters_inherit(a, 20, true);
    counters_inherit(b, 5, true);
    counters_settle();
    struct sums sums = read_cells();
    assert_int_equal(sums.live, 35);
    assert_int_equal(sums.allocations, 3);
    assert_int_equal(image_header->inherited_blocks, 3);
    assert_int_equal(image_header->inherited_bytes, 35);
    assert_int_equal(image_header->totals.live_bytes, 35);
    counters_freed(self, a, 20);
    sums = read_cells();
    assert_int_equal(sums.live, 15);
    assert_int_equal(sums.peak, 35);
}

/* The parent went on while the child copied: a cell of the parent's has a stack that the child's table has
 * not. */
static void knows_no_later_stacks(void **state) {
    (void)state;
    uint32_t known = cells_find(self, FIRST + 2), later = cells_find(self, FIRST + 3);
    uint32_t bound = (uint32_t)image_header->regions[HT_REGION_STACKS].used_records;
    counters_allocated(self, later, 10);
    image_cells[later].stack = bound;
    start_over();
    assert_int_equal(image_cells[known].stack, FIRST + 2);
    assert_int_equal(image_cells[known].slot, self->slot);
    assert_int_equal(image_cells[later].stack, HT_STACK_NONE);
    assert_int_equal(image_cells[later].allocations, 0);
    image_cells[later].stack = FIRST + 3; /* for the tests that follow */
}

/* A cell whose owner was killed in the middle of an update, and inherited by another thread. */
static void heals_a_broken_sequence(void **state) {
    (void)state;
    start_over();
    uint32_t cell = cells_find(self, FIRST);
    image_cells[cell].write_sequence = 7;
    counters_allocated(self, cell, 1);
    assert_int_equal(image_cells[cell].write_sequence % 2, 0);
    assert_true(image_cells[cell].write_sequence > 7);
    counters_freed(self, cell, 1);
    assert_int_equal(image_cells[cell].write_sequence % 2, 0);
}

/* ---- several threads: events one at a time, so that there is a true peak to compare with ---- */

#define THREADS 4
#define LARGEST 100000u

static struct log shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct live_block pool[LIVE];
static uint32_t pool_cells[LIVE], pool_count;

static void one_event(struct thread *thread, uint64_t *seed, int i) {
    if (allocates(seed, i, pool_count)) {
        struct live_block block = {(uint32_t)random_below(seed, STACKS), 1 + random_below(seed, LARGEST)};
        uint32_t cell = cells_find(thread, FIRST + block.stack);
        counters_allocated(thread, cell, block.size);
        log_allocation(&shared, block.stack, block.size);
        pool_cells[pool_count] = cell;
        pool[pool_count++] = block;
    } else {
        uint32_t at = (uint32_t)random_below(seed, pool_count);
        counters_freed(thread, pool_cells[at], pool[at].size); /* whoever allocated it */
        log_free(&shared, pool[at].stack, pool[at].size);
        pool[at] = pool[--pool_count];
        pool_cells[at] = pool_cells[pool_count];
    }
}

static pthread_barrier_t all_claimed; /* so that none inherits another's slot */

static void *share_events(void *argument) {
    uint64_t seed = *(uint64_t *)argument;
    struct thread *thread = threads_claim();
    pthread_barrier_wait(&all_claimed);
    if (!CHECK(thread != NULL))
        return NULL;
    for (int i = 0; i < SCALED(100000); i++) {
        pthread_mutex_lock(&lock);
        one_event(thread, &seed, i);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void stays_within_the_bound(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];
    start_over();
    pthread_barrier_init(&all_claimed, NULL, THREADS);
    for (uint64_t i = 0; i < THREADS; i++) {
        seeds[i] = i + 70;
        assert_int_equal(pthread_create(&threads[i], NULL, share_events, &seeds[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failed_checks(), 0);
    uint64_t seed = 5;
    while (pool_count != 0) { /* so that the peak is over */
        pool_count--;
        counters_freed(self, pool_cells[pool_count], pool[pool_count].size);
        log_free(&shared, pool[pool_count].stack, pool[pool_count].size);
    }
    one_event(self, &seed, 0);
    struct sums sums = read_cells();
    same_totals(&shared, &sums);
    uint64_t slots = image_header->totals.slots_in_use, quantum = image_header->totals.quantum_max_bytes;
    int64_t off = sums.peak - (int64_t)shared.max, bound = (int64_t)(2 * slots * quantum);
    printf("peak %llu, off by %lld, bound %lld, quantum %llu\n", (unsigned long long)shared.max,
           (long long)off, (long long)bound, (unsigned long long)quantum);
    assert_true(slots == THREADS + 1 && quantum >= 256);
    assert_true(off <= bound && -off <= bound);
}

/* ---- several threads at once: nothing is lost from the sums ---- */

static void *churn(void *argument) {
    struct log *log = argument;
    struct thread *thread = threads_claim();
    uint64_t seed = (uintptr_t)log;
    if (!CHECK(thread != NULL))
        return NULL;
    for (int i = 0; i < SCALED(1000000); i++) {
        uint32_t stack = (uint32_t)random_below(&seed, STACKS), cell = cells_find(thread, FIRST + stack);
        counters_allocated(thread, cell, 100);
        log_allocation(log, stack, 100);
        if (i % 3 != 0) {
            counters_freed(thread, cell, 100);
            log_free(log, stack, 100);
        }
    }
    return NULL;
}

static void loses_nothing(void **state) {
    (void)state;
    static struct log logs[THREADS];
    pthread_t threads[THREADS];
    start_over();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &logs[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    struct sums sums = read_cells();
    uint64_t live = 0, allocations = 0;
    for (int i = 0; i < THREADS; i++) {
        live += logs[i].live;
        allocations += logs[i].allocations;
    }
    assert_true(sums.live == (int64_t)live && sums.allocations == allocations);
    int64_t total = (int64_t)image_header->totals.live_bytes;
    for (uint64_t i = 1; i < image_header->regions[HT_REGION_SLOTS].used_records; i++)
        total += image_slots[i].unflushed_bytes;
    assert_true(total == (int64_t)live);
}

/* Another thread clears all traces between the look for the cell and the event: the owner is retired first,
 * and then the stacks. A block whose free will not count must not count for the cells that follow. */
static void counts_nothing_in_retired_cells(void **state) {
    (void)state;
    start_over();
    uint32_t cell = cells_find(self, FIRST);
    uint16_t owner = cells_owners[cell >> CELLS_CHUNK_BITS];
    memset(self->cells[FIRST >> 10], 0, 4096); /* as cells_renew has it */
    cells_owners[cell >> CELLS_CHUNK_BITS] = CELLS_RETIRED;
    counters_mapping(self, cell, 1, 100, false);
    cells_owners[cell >> CELLS_CHUNK_BITS] = owner;
    assert_int_equal(image_cells[cell].allocations, 1);
    for (uint64_t i = 1; i < image_header->regions[HT_REGION_CELLS].used_records; i++)
        assert_true(i == cell || image_cells[i].allocations == 0);
}

static int set_up(void **state) {
    int error = setup_image(state);
    self = error == 0 && image_take(HT_REGION_STACKS, FIRST + STACKS) != 0 ? threads_claim() : NULL;
    return self != NULL ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_log),        cmocka_unit_test(counts_zero_sizes),
        cmocka_unit_test(inherits_after_a_fork), cmocka_unit_test(heals_a_broken_sequence),
        cmocka_unit_test(knows_no_later_stacks), cmocka_unit_test(stays_within_the_bound),
        cmocka_unit_test(loses_nothing),         cmocka_unit_test(counts_nothing_in_retired_cells),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
