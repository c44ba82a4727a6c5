/* test_blocks.c - address -> block, against maps of the test's own. The addresses are made up: the table
 * never looks at them. Exact mode is one per process, so those tests run in a child. */
#include "support.h"

#include "blocks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HEAP      ((uintptr_t)0x7f1200000000)
#define MOST_CELL ((1u << BLOCKS_CELL_BITS) - 1)

static const uint64_t border_sizes[] = {0,
                                        1,
                                        8,
                                        24,
                                        511,
                                        512,
                                        513,
                                        8191,
                                        8192,
                                        8193,
                                        65536,
                                        1u << 20,
                                        UINT32_MAX - 1,
                                        UINT32_MAX,
                                        (uint64_t)UINT32_MAX + 1,
                                        (uint64_t)1 << 40};
#define BORDERS (sizeof border_sizes / sizeof *border_sizes)

static bool is(struct block block, uint64_t size_bytes, uint32_t cell) {
    return block.size_bytes == size_bytes && block.cell == cell;
}

/* ---- one block ---- */

static void holds_border_sizes(void **state) {
    (void)state;
    const uintptr_t at[] = {HEAP + 16,         HEAP + 32,      HEAP + 4096 - 16, HEAP + (4u << 20) - 16,
                            HEAP + (4u << 20), 0x7ffffffff000, 0x10010,          0xfffffffff000};
    const uint32_t cells[] = {1, 2, MOST_CELL};
    for (size_t a = 0; a < sizeof at / sizeof *at; a++)
        for (size_t s = 0; s < BORDERS; s++)
            for (size_t c = 0; c < 3; c++) {
                struct block old = {9, 9};
                assert_false(blocks_known(at[a]));
                assert_int_equal(blocks_put(at[a], (struct block){border_sizes[s], cells[c]}, &old),
                                 BLOCKS_PUT);
                assert_true(blocks_known(at[a]));
                assert_false(blocks_known(at[a] + 16));
                assert_false(blocks_known(at[a] - 16));
                assert_true(is(blocks_remove(at[a]), border_sizes[s], cells[c]));
                assert_true(is(blocks_remove(at[a]), 0, 0));
            }
}

static void holds_neighbours_of_all_sizes(void **state) {
    (void)state;
    uintptr_t at = HEAP + ((uintptr_t)64 << 20) + 16, first = at;
    struct block old;
    uint32_t n = 0;
    for (uint64_t size = 0; size < 20000; size += size < 1100 ? 1 : 37, n++) {
        assert_int_equal(blocks_put(at, (struct block){size, n + 1}, &old), BLOCKS_PUT);
        uint64_t chunk = (size + 8 + 15) & ~(uint64_t)15; /* as glibc places them */
        at += chunk < 32 ? 32 : chunk;
    }
    at = first;
    n = 0;
    for (uint64_t size = 0; size < 20000; size += size < 1100 ? 1 : 37, n++) {
        assert_true(is(blocks_remove(at), size, n + 1));
        uint64_t chunk = (size + 8 + 15) & ~(uint64_t)15;
        at += chunk < 32 ? 32 : chunk;
    }
}

/* Far enough apart for the same place among a thread's leaves. */
#define SAME_PLACE ((uintptr_t)BLOCKS_NEAR << BLOCKS_LEAF_BITS)

static void goes_the_short_way(void **state) {
    (void)state;
    struct blocks_near near = {0};
    struct block block = {1, 1}, old = {9, 9};
    uintptr_t at = HEAP + ((uintptr_t)512 << 20), tops = at + (4u << 20) - 32;
    blocks_near_open(&near);
    assert_null(blocks_near_place(&near, 0));
    assert_null(blocks_near_place(&near, at));
    blocks_near_note(&near, at);
    assert_null(blocks_near_place(&near, at)); /* no block was ever there */
    assert_int_equal(blocks_put(at, (struct block){511, MOST_CELL}, &old), BLOCKS_PUT);
    blocks_near_note(&near, at);
    assert_true(blocks_near_remove(&near, at, &block) && is(block, 511, MOST_CELL));
    assert_false(blocks_near_remove(&near, at, &block));
    for (uintptr_t a = at; a <= tops + 16; a += a == at + 128 ? tops - 128 - at : 16) {
        uint32_t *place = blocks_near_place(&near, a);
        assert_true(blocks_near_put(place, a, (struct block){0, MOST_CELL}));
        assert_false(blocks_near_put(place, a, (struct block){7, 7}));
        assert_false(blocks_near_put(place, a ^ 16, (struct block){7, 7}));
        assert_false(blocks_near_remove(&near, a ^ 16, &block));
        assert_false(blocks_near_remove(&near, a + 1, &block));
        assert_false(blocks_near_remove(&near, a + 8, &block));
        assert_false(blocks_near_remove(&near, a + SAME_PLACE, &block));
        assert_false(blocks_near_remove(&near, a | (uintptr_t)1 << 56, &block));
        assert_true(is(blocks_remove(a), 0, MOST_CELL));
    }
    assert_int_equal(blocks_put(at + SAME_PLACE, (struct block){24, 5}, &old), BLOCKS_PUT);
    assert_false(blocks_near_remove(&near, at + SAME_PLACE, &block));
    blocks_near_note(&near, at + SAME_PLACE);
    assert_null(blocks_near_place(&near, at));
    assert_true(blocks_near_remove(&near, at + SAME_PLACE, &block) && is(block, 24, 5));
}

static void says_what_it_replaces(void **state) {
    (void)state;
    const uint64_t sizes[][2] = {{24, 100}, {600, 700}, {9000, 100000}, {9000, (uint64_t)1 << 33}};
    for (size_t i = 0; i < 4; i++) {
        struct block old = {0, 0};
        assert_int_equal(blocks_put(HEAP + 48, (struct block){sizes[i][0], 5}, &old), BLOCKS_PUT);
        assert_int_equal(blocks_put(HEAP + 48, (struct block){sizes[i][1], 6}, &old), BLOCKS_REPLACED);
        assert_true(is(old, sizes[i][0], 5));
        assert_true(is(blocks_remove(HEAP + 48), sizes[i][1], 6));
        assert_true(is(blocks_remove(HEAP + 48), 0, 0));
    }
}

static void knows_no_foreign_pointers(void **state) {
    (void)state;
    struct block old;
    blocks_put(HEAP + 0x100, (struct block){5000, 7}, &old);
    for (uintptr_t at = HEAP; at < HEAP + 0x2000; at++)
        if (at != HEAP + 0x100)
            assert_true(is(blocks_remove(at), 0, 0));
    assert_true(is(blocks_remove(0), 0, 0));
    assert_true(is(blocks_remove(16), 0, 0));
    assert_true(is(blocks_remove(UINTPTR_MAX & ~(uintptr_t)15), 0, 0));
    assert_true(is(blocks_remove((HEAP + 0x100) | (uintptr_t)1 << 56), 0, 0));
    assert_true(is(blocks_remove(HEAP + 0x100), 5000, 7));
}

static void refuses_what_is_beyond_48_bits(void **state) {
    (void)state;
    struct block old;
    uintptr_t far = (HEAP + 0x500) | (uintptr_t)1 << 56;
    blocks_put(HEAP + 0x500, (struct block){40, 3}, &old);
    assert_int_equal(blocks_put(far, (struct block){48, 4}, &old), BLOCKS_FULL);
    assert_false(blocks_known(far));
    assert_true(is(blocks_remove(HEAP + 0x500), 40, 3));
}

static void clips_when_many_are_huge(void **state) {
    (void)state;
    struct block old;
    uint64_t clipped = blocks_clipped();
    const uintptr_t base = (uintptr_t)1 << 40, apart = (uintptr_t)5 << 32;
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(blocks_put(base + i * apart, (struct block){((uint64_t)4 << 30) + i, i + 1}, &old),
                         BLOCKS_PUT);
    assert_int_equal(blocks_clipped() - clipped, 300 - 256);
    for (uint32_t i = 0; i < 300; i++) {
        struct block block = blocks_remove(base + i * apart);
        assert_int_equal(block.cell, i + 1);
        assert_true(block.size_bytes == (i < 256 ? ((uint64_t)4 << 30) + i : UINT32_MAX));
    }
    assert_int_equal(blocks_put(base, (struct block){(uint64_t)5 << 30, 1}, &old), BLOCKS_PUT);
    assert_true(is(blocks_remove(base), (uint64_t)5 << 30, 1));
}

/* ---- a made-up heap: slabs of one stride each, whose stride changes when they are empty ---- */

#define SLABS      48
#define SLAB_BYTES ((uintptr_t)1 << 20)

struct slab {
    uintptr_t start;
    uint64_t stride;
    uint32_t count, live;
    struct block *blocks;
};

static uint64_t random_stride(uint64_t *seed, bool exact) {
    uint64_t kind = random_below(seed, 10), least = exact ? 1 : 2;
    uint64_t granule = exact ? 8 : 16;
    if (kind < 6)
        return granule * (least + random_below(seed, 40));
    return kind < 8 ? granule * (30 + random_below(seed, 600)) : granule * (500 + random_below(seed, 3000));
}

static void refresh(struct slab *slab, uint64_t *seed, bool exact) {
    slab->stride = random_stride(seed, exact);
    slab->count = (uint32_t)((SLAB_BYTES - 16) / slab->stride);
    slab->blocks = realloc(slab->blocks, slab->count * sizeof *slab->blocks);
    memset(slab->blocks, 0, slab->count * sizeof *slab->blocks);
}

static bool touch(struct slab *slab, uint64_t *seed, uint64_t overhead) {
    uint32_t i = (uint32_t)random_below(seed, slab->count);
    uintptr_t at = slab->start + i * slab->stride;
    struct block *known = &slab->blocks[i], old;
    if (known->cell != 0) {
        struct block was = *known;
        *known = (struct block){0, 0};
        slab->live--;
        return is(blocks_remove(at), was.size_bytes, was.cell);
    }
    if (random_below(seed, 4) == 0)
        return is(blocks_remove(at), 0, 0) && !blocks_known(at);
    slab->live++;
    *known = (struct block){random_below(seed, slab->stride - overhead + 1),
                            1 + (uint32_t)random_below(seed, MOST_CELL)};
    return blocks_put(at, *known, &old) == BLOCKS_PUT;
}

static uint64_t each_addresses, each_count, each_bytes, each_cells;

static void add_each(uintptr_t address, struct block block) {
    each_count++;
    each_bytes += block.size_bytes;
    each_cells += block.cell;
    each_addresses += address;
}

static bool same_as_each(const struct slab *slabs) {
    uint64_t count = 0, bytes = 0, cells = 0, addresses = 0;
    each_count = each_bytes = each_cells = each_addresses = 0;
    blocks_each(add_each);
    for (int s = 0; s < SLABS; s++)
        for (uint32_t i = 0; i < slabs[s].count; i++)
            if (slabs[s].blocks[i].cell != 0) {
                count++;
                bytes += slabs[s].blocks[i].size_bytes;
                cells += slabs[s].blocks[i].cell;
                addresses += slabs[s].start + i * slabs[s].stride;
            }
    return addresses == each_addresses && count == each_count && bytes == each_bytes && cells == each_cells &&
           count > 1000;
}

static bool drain(struct slab *slab) {
    bool right = true;
    for (uint32_t i = 0; i < slab->count; i++)
        if (slab->blocks[i].cell != 0)
            right &= is(blocks_remove(slab->start + i * slab->stride), slab->blocks[i].size_bytes,
                        slab->blocks[i].cell);
    slab->live = 0;
    return right;
}

static bool equals_the_oracle(bool exact) {
    static struct slab slabs[SLABS];
    uint64_t seed = exact ? 21 : 20;
    for (int s = 0; s < SLABS; s++) {
        slabs[s].start = HEAP + ((uintptr_t)1 << 32) + (uintptr_t)s * SLAB_BYTES + 16;
        refresh(&slabs[s], &seed, exact);
    }
    for (int i = 0; i < SCALED(3000000); i++) {
        struct slab *slab = &slabs[random_below(&seed, SLABS)];
        if (!touch(slab, &seed, exact ? 0 : 8))
            return false;
        if (i % 5000 == 0) {
            if (!drain(slab))
                return false;
            refresh(slab, &seed, exact);
        }
    }
    return same_as_each(slabs);
}

static void is_a_map(void **state) {
    (void)state;
    assert_true(equals_the_oracle(false));
}

/* ---- exact mode ---- */

static void exact_body(void) {
    struct block old;
    struct blocks_near near = {0};
    blocks_exact();
    CHECK(blocks_put(HEAP, (struct block){24, 1}, &old) == BLOCKS_PUT);
    blocks_near_open(&near);
    blocks_near_note(&near, HEAP);
    CHECK(blocks_near_place(&near, HEAP) == NULL && is(blocks_remove(HEAP), 24, 1));
    for (uint32_t i = 0; i < 1000; i++)
        CHECK(blocks_put(HEAP + 8 * i, (struct block){i % 9, i + 1}, &old) == BLOCKS_PUT);
    for (uint32_t i = 0; i < 1000; i++)
        CHECK(blocks_known(HEAP + 8 * i) && !blocks_known(HEAP + 8 * i + 4));
    for (uint32_t i = 0; i < 1000; i++)
        CHECK(is(blocks_remove(HEAP + 8 * i), i % 9, i + 1));
    for (size_t s = 0; s < BORDERS; s++) {
        CHECK(blocks_put(HEAP + 8, (struct block){border_sizes[s], MOST_CELL}, &old) == BLOCKS_PUT);
        CHECK(is(blocks_remove(HEAP + 8), border_sizes[s], MOST_CELL));
    }
    CHECK(equals_the_oracle(true));
}

static void holds_blocks_8_bytes_apart(void **state) {
    (void)state;
    assert_int_equal(in_child(exact_body), 0);
}

/* ---- threads that free each other's blocks ---- */

#define THREADS 4
#define QUEUE   1024

/* What a thread gives to the next one: the lock is the program's own ordering of put before remove. */
static struct {
    pthread_mutex_t lock;
    uint32_t count;
    uintptr_t at[QUEUE];
    struct block block[QUEUE];
} queue[THREADS];

static bool pop(uint32_t from, uintptr_t *at, struct block *block) {
    pthread_mutex_lock(&queue[from].lock);
    bool any = queue[from].count != 0;
    if (any) {
        uint32_t i = --queue[from].count;
        *at = queue[from].at[i];
        *block = queue[from].block[i];
    }
    pthread_mutex_unlock(&queue[from].lock);
    return any;
}

static bool push(uint32_t to, uintptr_t at, struct block block) {
    pthread_mutex_lock(&queue[to].lock);
    bool room = queue[to].count < QUEUE;
    if (room) {
        queue[to].at[queue[to].count] = at;
        queue[to].block[queue[to].count++] = block;
    }
    pthread_mutex_unlock(&queue[to].lock);
    return room;
}

/* A place holds one block at a time, as in an allocator; a small heap, so that a sweep comes round. */
#define PLACES     (4 * QUEUE)
#define PLACE_BASE (HEAP + ((uintptr_t)3 << 33))

static uint8_t taken[THREADS * PLACES]; /* (atomic) */

static uintptr_t take_place(uint32_t self, uint64_t *seed) {
    for (;;) {
        uint64_t place = random_below(seed, PLACES) * THREADS + self;
        if (__atomic_exchange_n(&taken[place], 1, __ATOMIC_ACQUIRE) == 0)
            return PLACE_BASE + place * 16384 + 16 * random_below(seed, 500);
    }
}

static bool remove_there(uintptr_t at, struct block block) {
    bool right = is(blocks_remove(at), block.size_bytes, block.cell);
    __atomic_store_n(&taken[(at - PLACE_BASE) / 16384], 0, __ATOMIC_RELEASE);
    return right;
}

/* Each thread's blocks alternate with the others' in every granule row, so that leaves are shared. */
static void *hand_over(void *argument) {
    uint32_t self = *(uint32_t *)argument;
    uint64_t seed = self + 40;
    uintptr_t at;
    struct block block, old;
    for (int i = 0; i < SCALED(400000); i++) {
        if (random_below(&seed, 2) == 0) {
            at = take_place(self, &seed);
            block = (struct block){random_below(&seed, 3) == 0 ? random_below(&seed, 8000)
                                                               : random_below(&seed, 600),
                                   1 + (uint32_t)random_below(&seed, MOST_CELL)};
            CHECK(blocks_put(at, block, &old) == BLOCKS_PUT);
            if (!push((self + 1) % THREADS, at, block))
                CHECK(remove_there(at, block));
        } else if (pop(self, &at, &block)) {
            CHECK(remove_there(at, block));
        }
    }
    return NULL;
}

static void hand_over_between_threads(void) {
    pthread_t threads[THREADS];
    uint32_t numbers[THREADS];
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_mutex_init(&queue[i].lock, NULL);
    for (uint32_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, hand_over, &numbers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < THREADS; i++) {
        uintptr_t at;
        struct block block;
        while (pop(i, &at, &block))
            CHECK(remove_there(at, block));
    }
}

static void lets_any_thread_free(void **state) {
    (void)state;
    hand_over_between_threads();
    assert_int_equal(failed_checks(), 0);
}

/* ---- pages given back ---- */

static uint32_t handed_over; /* (atomic) */
static uint64_t sweeps;      /* (atomic) */

static void *sweep_on(void *unused) {
    (void)unused;
    while (__atomic_load_n(&handed_over, __ATOMIC_ACQUIRE) == 0)
        __atomic_fetch_add(&sweeps, blocks_sweep(3), __ATOMIC_RELAXED);
    return NULL;
}

/* In a process whose table holds nothing else. */
static void sweep_body(void) {
    pthread_t sweeper;
    CHECK(pthread_create(&sweeper, NULL, sweep_on, NULL) == 0);
    for (int round = 0; round < 200 && __atomic_load_n(&sweeps, __ATOMIC_RELAXED) <= 2; round++)
        hand_over_between_threads();
    __atomic_store_n(&handed_over, 1, __ATOMIC_RELEASE);
    pthread_join(sweeper, NULL);
    printf("%lu sweeps of the whole table meanwhile\n", (unsigned long)sweeps);
    CHECK(sweeps > 2);
}

static void loses_nothing_in_sweeps(void **state) {
    (void)state;
    assert_int_equal(in_child(sweep_body), 0);
}

static uint64_t resident_kib(void) {
    unsigned long size = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    assert_non_null(statm);
    assert_int_equal(fscanf(statm, "%lu %lu", &size, &resident), 2);
    fclose(statm);
    return resident * 4;
}

#define MANY 2000000u

static void gives_empty_pages_back(void **state) {
    (void)state;
#ifdef UNIT_LIGHT
    skip(); /* a sanitizer's own memory is what would be measured */
#endif
    const uintptr_t heap = HEAP + ((uintptr_t)9 << 33);
    struct block old;
    while (!blocks_sweep(1000))
        ;
    uint64_t before = resident_kib();
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(blocks_put(heap + 64 * (uintptr_t)i, (struct block){50, i % 1000 + 1}, &old),
                         BLOCKS_PUT);
    uint64_t full = resident_kib();
    assert_true(full > before + MANY * 8 / 1024 * 3 / 4);
    for (uint32_t i = 1; i < MANY; i++) /* all but the first */
        assert_true(is(blocks_remove(heap + 64 * (uintptr_t)i), 50, i % 1000 + 1));
    while (!blocks_sweep(1000))
        ;
    assert_true(resident_kib() < before + (full - before) / 4);
    assert_true(is(blocks_remove(heap), 50, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_blocks_8_bytes_apart), /* fork: before there are threads and blocks */
        cmocka_unit_test(loses_nothing_in_sweeps),
        cmocka_unit_test(holds_border_sizes),
        cmocka_unit_test(goes_the_short_way),
        cmocka_unit_test(holds_neighbours_of_all_sizes),
        cmocka_unit_test(says_what_it_replaces),
        cmocka_unit_test(knows_no_foreign_pointers),
        cmocka_unit_test(refuses_what_is_beyond_48_bits),
        cmocka_unit_test(clips_when_many_are_huge),
        cmocka_unit_test(is_a_map),
        cmocka_unit_test(lets_any_thread_free),
        cmocka_unit_test(gives_empty_pages_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
