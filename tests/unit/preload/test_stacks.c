/* test_stacks.c - one id is one stack: a million random walks through a tree of calls, against a map. */
#include "support.h"

#include "image/image.h"
#include "image/stacks.h"
#include "unwind/call_stack.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NFRAME_TEST 56u
#define DEEPEST     60u
#define MAP_BITS    22u

/* ---- the walk: outermost first, as a program would call and return ---- */

struct walk {
    uint64_t seed;
    uint32_t calls;  /* different ones */
    uint32_t nframe; /* frames of a stack that count */
    uint32_t depth;
    uint64_t pcs[DEEPEST];
};

static void step(struct walk *walk) {
    uint32_t back = (uint32_t)random_below(&walk->seed, 7);
    walk->depth = back < walk->depth ? walk->depth - back : 0;
    uint32_t down = (uint32_t)random_below(&walk->seed, 7);
    for (; down != 0 && walk->depth < DEEPEST; down--)
        walk->pcs[walk->depth++] = 0x10000 + 16 * random_below(&walk->seed, walk->calls);
}

static uint32_t intern(struct call_stack *trace, const struct walk *walk) {
    uintptr_t newest_first[DEEPEST];
    for (uint32_t i = 0; i < walk->depth; i++)
        newest_first[i] = walk->pcs[walk->depth - 1 - i];
    call_stack_set(trace, newest_first, walk->depth);
    return stacks_intern(trace, call_stack_hash(trace));
}

static uint32_t kept_frames(const struct walk *walk, const uint64_t **first) {
    uint32_t count = walk->depth < walk->nframe ? walk->depth : walk->nframe;
    *first = walk->pcs + walk->depth - count;
    return count;
}

/* ---- the oracle: 128 bits of another hash -> id ---- */

struct seen {
    uint64_t low, high;
    uint32_t id;
};

static struct seen map[1u << MAP_BITS];

static struct seen key_of(const uint64_t *pcs, uint32_t count) {
    struct seen key = {count, ~(uint64_t)count, 0};
    for (uint32_t i = 0; i < count; i++) {
        uint64_t low = key.low ^ pcs[i], high = key.high + pcs[i];
        key.low = random_next(&low);
        key.high = random_next(&high) ^ key.low >> 7;
    }
    return key;
}

static struct seen *look_up(const struct seen *key) {
    uint64_t at = key->low >> (64 - MAP_BITS);
    while (map[at].id != 0 && (map[at].low != key->low || map[at].high != key->high))
        at = (at + 1) & ((1u << MAP_BITS) - 1);
    return &map[at];
}

/* ---- decoding as a reader does ---- */

static uint32_t decode(uint32_t id, uint64_t *pcs) {
    const struct ht_stack *stack = &image_stacks[id];
    if (stack->kept != 0) {
        const struct ht_stack *base = &image_stacks[stack->base];
        uint64_t older[DEEPEST];
        uint32_t first = stack->depth - stack->frame_count, from = base->depth - base->frame_count;
        assert_true(stack->base < id && stack->base >= HT_STACK_FIRST && from <= first);
        assert_true(decode(stack->base, older) >= first - from + stack->kept);
        memcpy(pcs, older + (first - from), stack->kept * sizeof *pcs);
    }
    for (uint32_t i = stack->kept; i < stack->frame_count; i++) {
        uint32_t frame = image_frames[stack->first_frame + i - stack->kept];
        assert_true((frame & HT_FRAME_EXACT) == 0);
        pcs[i] = image_pcs[frame & HT_FRAME_PC].pc;
    }
    return stack->frame_count;
}

static void hash_is_of(const uint64_t *pcs, uint32_t count, const struct ht_stack *stack) {
    struct stack_hash hash = {1, 1};
    for (uint32_t i = 0; i < count; i++)
        hash = stack_hash_put(hash, test_point(), pcs[i], 0);
    hash = stack_hash_canonical(hash);
    assert_true(stack->hash_hi == hash.b);
    assert_true(stack->hash_lo == (hash.a != 0 ? hash.a : 1));
}

static void tells_stacks_apart(void **state) {
    (void)state;
    static struct walk walk = {.seed = 11, .calls = 2000, .nframe = NFRAME_TEST};
    struct call_stack trace;
    uint32_t distinct = 0, again = 0;
    assert_true(call_stack_open(&trace, NFRAME_TEST, test_point()));
    for (int i = 0; i < SCALED(1500000); i++) {
        const uint64_t *frames;
        step(&walk);
        uint32_t id = intern(&trace, &walk), count = kept_frames(&walk, &frames);
        struct seen key = key_of(frames, count), *known = look_up(&key);
        assert_true(id >= HT_STACK_FIRST);
        if (known->id != 0) {
            assert_int_equal(known->id, id);
            again++;
        } else {
            assert_int_equal(id, HT_STACK_FIRST + distinct++); /* one thread: ids are consecutive */
            *known = (struct seen){key.low, key.high, id};
            uint64_t decoded[DEEPEST];
            assert_int_equal(decode(id, decoded), count);
            assert_memory_equal(decoded, frames, count * sizeof *frames);
            hash_is_of(decoded, count, &image_stacks[id]);
            assert_int_equal(image_stacks[id].depth, walk.depth);
        }
    }
    uint64_t frames = image_header->regions[HT_REGION_FRAMES].used_records;
    printf("%u distinct stacks, %u again, %.1f frames stored a stack\n", distinct, again,
           (double)frames / distinct);
    assert_true(distinct > (uint32_t)SCALED(1000000));
    assert_true(again > 10);
    assert_true(frames < 5 * (uint64_t)distinct); /* prefixes are shared, and windows */
}

/* Few calls and small windows: most stacks are windows, at many depths, and many a whole stack is the window
 * of a deeper one. Each thread that is met here has its own nframe, and all share the table. */
static void shares_frames_of_windows(void **state) {
    (void)state;
    static struct walk walks[] = {{.seed = 5, .calls = 3, .nframe = 12},
                                  {.seed = 6, .calls = 3, .nframe = 13},
                                  {.seed = 7, .calls = 40, .nframe = 5},
                                  {.seed = 8, .calls = 2, .nframe = 20}};
    struct call_stack traces[4];
    uint64_t frames = image_header->regions[HT_REGION_FRAMES].used_records;
    uint32_t distinct = 0, windows = 0, bases = 0;
    memset(map, 0, sizeof map);
    for (int t = 0; t < 4; t++)
        assert_true(call_stack_open(&traces[t], walks[t].nframe, test_point()));
    for (int i = 0; i < SCALED(1200000); i++) {
        const uint64_t *expected;
        uint64_t decoded[DEEPEST];
        void *newest_first[DEEPEST];
        struct walk *walk = &walks[i % 4];
        step(walk);
        uint32_t id = intern(&traces[i % 4], walk), count = kept_frames(walk, &expected);
        struct seen key = key_of(expected, count), *known = look_up(&key);
        assert_true(id >= HT_STACK_FIRST);
        assert_true(known->id == 0 || known->id == id);
        if (known->id == 0)
            distinct++;
        *known = (struct seen){key.low, key.high, id};
        assert_int_equal(decode(id, decoded), count);
        assert_memory_equal(decoded, expected, count * sizeof *expected);
        assert_int_equal(stacks_frames(id, newest_first, DEEPEST), count);
        for (uint32_t f = 0; f < count; f++)
            assert_true((uintptr_t)newest_first[f] == expected[count - 1 - f]);
        windows += image_stacks[id].depth > count;
        bases += image_stacks[id].depth > count && image_stacks[id].kept != 0;
    }
    frames = image_header->regions[HT_REGION_FRAMES].used_records - frames;
    printf("%u distinct stacks; met %u windows, %u of them with a base; %.1f frames stored a stack\n",
           distinct, windows, bases, (double)frames / distinct);
    assert_true(distinct > (uint32_t)SCALED(100000) && bases > windows / 2);
    assert_true(frames < 4 * (uint64_t)distinct);
}

static void has_stacks_for_reasons(void **state) {
    (void)state;
    for (uint32_t id = 1; id < HT_STACK_FIRST; id++) {
        assert_true(image_stacks[id].hash_lo != 0);
        assert_int_equal(image_stacks[id].frame_count, 0);
    }
    assert_true(image_stacks[0].hash_lo == 0);
}

static void interns_the_empty_stack(void **state) {
    (void)state;
    struct call_stack trace;
    uint64_t none[1];
    assert_true(call_stack_open(&trace, 4, test_point()));
    call_stack_set(&trace, NULL, 0);
    uint32_t id = stacks_intern(&trace, call_stack_hash(&trace));
    assert_true(id >= HT_STACK_FIRST);
    assert_int_equal(decode(id, none), 0);
    assert_int_equal(stacks_intern(&trace, call_stack_hash(&trace)), id);
}

static void keeps_exact_frames_apart(void **state) {
    (void)state;
    struct call_stack trace;
    const uintptr_t pcs[] = {0x50, 0x777, 0x30};
    assert_true(call_stack_open(&trace, 4, test_point()));
    call_stack_set(&trace, pcs, 3);
    uint32_t without = stacks_intern(&trace, call_stack_hash(&trace));
    call_stack_signal_return = 0x777;
    call_stack_set(&trace, pcs, 3);
    uint32_t with = stacks_intern(&trace, call_stack_hash(&trace));
    call_stack_signal_return = 0;
    assert_true(with != without);
    const struct ht_stack *stack = &image_stacks[with];
    assert_int_equal(stack->kept, 0);
    assert_true((image_frames[stack->first_frame] & HT_FRAME_EXACT) != 0);
    assert_int_equal(image_pcs[image_frames[stack->first_frame] & HT_FRAME_PC].pc, 0x30);
}

/* ---- threads that meet the same stacks at the same time ---- */

#define THREADS 4
#define SHARED  SCALED(60000)

static uint32_t shared_ids[THREADS][SHARED];
static pthread_barrier_t start;

static void *walk_the_same_way(void *argument) {
    uint32_t *ids = argument;
    struct walk walk = {.seed = 99, .calls = 2000, .nframe = NFRAME_TEST};
    struct call_stack trace;
    CHECK(call_stack_open(&trace, NFRAME_TEST, test_point()));
    pthread_barrier_wait(&start);
    for (int i = 0; i < SHARED; i++) {
        step(&walk);
        ids[i] = intern(&trace, &walk);
    }
    return NULL;
}

static void gives_threads_one_id(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    uint32_t twice = 0;
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, walk_the_same_way, shared_ids[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failed_checks(), 0);
    struct walk walk = {.seed = 99, .calls = 2000, .nframe = NFRAME_TEST};
    for (int i = 0; i < SHARED; i++) {
        uint64_t decoded[DEEPEST];
        const uint64_t *frames;
        step(&walk);
        uint32_t count = kept_frames(&walk, &frames);
        for (int t = 0; t < THREADS; t++) {
            assert_true(shared_ids[t][i] >= HT_STACK_FIRST);
            assert_int_equal(decode(shared_ids[t][i], decoded), count);
            assert_memory_equal(decoded, frames, count * sizeof *frames);
            twice += shared_ids[t][i] != shared_ids[0][i];
        }
    }
    printf("%u of %d had two ids (a level filled up meanwhile)\n", twice, SHARED);
    assert_true(twice <= 64);
}

/* The last: the region stays full. */
static void keeps_no_frames_of_stacks_without_room(void **state) {
    (void)state;
    struct ht_region *stacks = &image_header->regions[HT_REGION_STACKS];
    const struct ht_region *frames = &image_header->regions[HT_REGION_FRAMES];
    struct walk walk = {.seed = 7, .calls = 3000, .nframe = NFRAME_TEST};
    struct call_stack trace;
    assert_true(call_stack_open(&trace, NFRAME_TEST, test_point()));
    stacks->capacity_bytes = stacks->committed_bytes;
    while (image_take(HT_REGION_STACKS, 1) != 0)
        ;
    uint64_t used = frames->used_records;
    for (int refused = 0; refused < 1000; step(&walk))
        refused += intern(&trace, &walk) == HT_STACK_OVERFLOW;
    assert_int_equal(frames->used_records, used);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_stacks_for_reasons),
        cmocka_unit_test(tells_stacks_apart),
        cmocka_unit_test(interns_the_empty_stack),
        cmocka_unit_test(keeps_exact_frames_apart),
        cmocka_unit_test(gives_threads_one_id),
        cmocka_unit_test(shares_frames_of_windows),
        cmocka_unit_test(keeps_no_frames_of_stacks_without_room),
    };
    return cmocka_run_group_tests(tests, setup_image, NULL);
}
