/* test_rows.c - a reader copies cells while their owner writes: no copy is torn. */
#include "support.h"

#include "image/counters.h"
#include "image/image.h"
#include "image/cells.h"
#include "image/threads.h"

#include <pthread.h>

#define STACK  700u
#define CELLS  16u
#define EVENTS SCALED(4000000)

static uint32_t cells[CELLS];
static bool done;

/* Every event of cell i has the size 1000 + i, so a whole row has bytes = events * size. */
static uint64_t size_of(uint32_t i) {
    return 1000 + i;
}

static void *write_events(void *unused) {
    (void)unused;
    struct thread *self = threads_claim();
    uint64_t seed = 1;
    for (uint32_t i = 0; self != NULL && i < CELLS; i++)
        __atomic_store_n(&cells[i], cells_find(self, STACK + i), __ATOMIC_RELEASE);
    for (int event = 0; CHECK(self != NULL) && event < EVENTS; event++) {
        uint32_t i = (uint32_t)random_below(&seed, CELLS);
        counters_allocated(self, cells[i], size_of(i));
        if (random_below(&seed, 2) == 0)
            counters_freed(self, cells[i], size_of(i));
    }
    __atomic_store_n(&done, true, __ATOMIC_RELEASE);
    return NULL;
}

static uint64_t load(const uint64_t *from) {
    return __atomic_load_n(from, __ATOMIC_RELAXED);
}

/* As the format header tells a reader to. False: the owner was writing. */
static bool copy(const struct ht_cell *from, struct ht_cell *to) {
    uint32_t before = __atomic_load_n(&from->write_sequence, __ATOMIC_ACQUIRE);
    *to = (struct ht_cell){.allocations = load(&from->allocations),
                           .allocated_bytes = load(&from->allocated_bytes),
                           .frees = load(&from->frees),
                           .freed_bytes = load(&from->freed_bytes)};
    to->peak_bytes = __atomic_load_n(&from->peak_bytes, __ATOMIC_RELAXED);
    to->peak_blocks = __atomic_load_n(&from->peak_blocks, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return before % 2 == 0 && before == __atomic_load_n(&from->write_sequence, __ATOMIC_RELAXED);
}

static void are_never_torn(void **state) {
    (void)state;
    pthread_t writer;
    uint64_t read = 0, again = 0, torn = 0, seed = 2, last[CELLS] = {0};
    assert_int_equal(pthread_create(&writer, NULL, write_events, NULL), 0);
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
        uint32_t i = (uint32_t)random_below(&seed, CELLS), id = __atomic_load_n(&cells[i], __ATOMIC_ACQUIRE);
        struct ht_cell cell;
        if (id == 0)
            continue;
        if (!copy(&image_cells[id], &cell)) {
            again++;
            continue;
        }
        read++;
        torn += cell.allocated_bytes != cell.allocations * size_of(i) ||
                cell.freed_bytes != cell.frees * size_of(i) || cell.frees > cell.allocations ||
                cell.peak_bytes != cell.peak_blocks * (int64_t)size_of(i) || cell.allocations < last[i];
        last[i] = cell.allocations;
    }
    pthread_join(writer, NULL);
    printf("%llu rows read, %llu read again, %llu torn\n", (unsigned long long)read,
           (unsigned long long)again, (unsigned long long)torn);
    assert_int_equal(failed_checks(), 0);
    assert_int_equal(torn, 0);
    assert_true(read > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(are_never_torn)};
    return cmocka_run_group_tests(tests, setup_image, NULL);
}
