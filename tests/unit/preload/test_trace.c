/* test_trace.c - a thread's last stack: what is kept, what is reused, what is started anew. */
#include "support.h"

#include "image/image.h"
#include "image/modules.h"
#include "image/trace.h"

#include <string.h>

static field key(void) {
    return (field)image_header->hash_key[1] << 64 | image_header->hash_key[0];
}

/* The polynomial of frames [0, count) by its definition. */
static field slow_hash(const struct trace *trace, uint32_t count) {
    field hash = 1;
    for (uint32_t i = 0; i < count; i++) {
        field coefficient = 1 + (field)trace->frames[i].pc + ((field)trace->frames[i].salt << 64);
        hash = field_canonical(field_multiply_add(hash, key(), coefficient));
    }
    return hash;
}

static void set_owners(struct trace *trace, uint32_t first) {
    for (uint32_t i = 0; i < trace->count; i++)
        trace->frames[i].owner = first + i;
}

static void keeps_outermost_first(void **state) {
    (void)state;
    struct trace trace = {0};
    const uintptr_t pcs[] = {0x40, 0x30, 0x20, 0x10};
    assert_true(trace_open(&trace, 8));
    assert_true(trace_hash(&trace) == 1);
    set_newest_first(&trace, pcs, 4);
    assert_int_equal(trace.count, 4);
    assert_int_equal(trace.depth, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(trace.frames[i].pc, 0x10 * (i + 1));
        assert_int_equal(trace.frames[i].owner, 0);
        assert_true(field_canonical(trace.frames[i].prefix) == slow_hash(&trace, i + 1));
    }
    assert_true(trace_hash(&trace) == slow_hash(&trace, 4));
    set_newest_first(&trace, pcs, 0);
    assert_int_equal(trace.count, 0);
    assert_true(trace_hash(&trace) == 1);
}

static void reuses_the_common_prefix(void **state) {
    (void)state;
    struct trace trace = {0};
    const uintptr_t first[] = {0x50, 0x40, 0x30, 0x20, 0x10}, second[] = {0x61, 0x51, 0x30, 0x20, 0x10};
    const uintptr_t third[] = {0x20, 0x10}, fourth[] = {0x50, 0x40, 0x30, 0x20, 0x11};
    assert_true(trace_open(&trace, 8));
    set_newest_first(&trace, first, 5);
    set_owners(&trace, 100);
    set_newest_first(&trace, second, 5);
    const uint32_t owners[] = {100, 101, 102, 0, 0};
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(trace.frames[i].owner, owners[i]);
    assert_true(trace_hash(&trace) == slow_hash(&trace, 5));
    set_newest_first(&trace, third, 2);
    assert_int_equal(trace.count, 2);
    assert_int_equal(trace.frames[1].owner, 101);
    set_newest_first(&trace, first, 5); /* what was cut off is not remembered */
    assert_int_equal(trace.frames[2].owner, 0);
    set_newest_first(&trace, fourth, 5); /* another outermost frame: nothing in common */
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(trace.frames[i].owner, 0);
}

static void truncates_to_the_newest(void **state) {
    (void)state;
    struct trace trace = {0};
    uintptr_t pcs[100];
    for (uint32_t i = 0; i < 100; i++)
        pcs[i] = 0x1000 - i;
    assert_true(trace_open(&trace, 7));
    set_newest_first(&trace, pcs, 100);
    assert_int_equal(trace.count, 7);
    assert_int_equal(trace.depth, 100);
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(trace.frames[i].pc, pcs[6 - i]);
    set_newest_first(&trace, pcs, 7);
    assert_int_equal(trace.depth, 7);
}

static void marks_what_a_signal_interrupted(void **state) {
    (void)state;
    struct trace trace = {0};
    const uintptr_t pcs[] = {0x50, 0x777, 0x30, 0x20, 0x10};
    assert_true(trace_open(&trace, 8));
    trace_signal_return = 0x777;
    set_newest_first(&trace, pcs, 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal((trace.frames[i].pc & TRACE_EXACT) != 0, i == 2);
    assert_int_equal(trace.frames[2].pc & ~TRACE_EXACT, 0x30);
    field with = trace_hash(&trace);
    trace_signal_return = 0;
    set_newest_first(&trace, pcs, 5);
    assert_true(trace_hash(&trace) != with);
    assert_int_equal(trace.frames[2].pc, 0x30);
}

static void starts_anew_with_a_generation(void **state) {
    (void)state;
    struct trace trace = {0};
    const uintptr_t pcs[] = {0x30, 0x20, 0x10};
    assert_true(trace_open(&trace, 8));
    set_newest_first(&trace, pcs, 3);
    set_owners(&trace, 50);
    field before = trace_hash(&trace);
    set_newest_first(&trace, pcs, 3);
    assert_int_equal(trace.frames[2].owner, 52);
    modules_generation++;
    set_newest_first(&trace, pcs, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(trace.frames[i].owner, 0);
    assert_true(trace_hash(&trace) == before);
}

/* However the last stack helped, and whatever the caller knows that they share, the result is as afresh. */
static void is_the_same_as_afresh(void **state) {
    (void)state;
    struct trace reused = {0}, fresh = {0};
    uintptr_t last[64] = {0}, pcs[64];
    uint64_t seed = 5;
    assert_true(trace_open(&reused, 40) && trace_open(&fresh, 40));
    trace_signal_return = 0x777;
    for (int i = 0; i < SCALED(50000); i++) {
        uint32_t count = (uint32_t)random_below(&seed, 60), shared = 0, before = reused.depth;
        for (uint32_t j = 0; j < count; j++)
            pcs[j] = random_below(&seed, 40) == 0 ? 0x777 : 0x1000 + (random_below(&seed, 9) == 0 ? 1u : 0u) + (j << 8);
        while (shared < count && shared < before && pcs[shared] == last[shared])
            shared++;
        trace_set(&reused, pcs, count, (uint32_t)random_below(&seed, shared + 1));
        fresh.count = fresh.depth = 0;
        trace_set(&fresh, pcs, count, 0);
        assert_int_equal(reused.count, fresh.count);
        for (uint32_t j = 0; j < fresh.count; j++)
            assert_true(reused.frames[j].pc == fresh.frames[j].pc);
        assert_true(trace_hash(&reused) == trace_hash(&fresh));
        memcpy(last, pcs, sizeof last);
    }
    trace_signal_return = 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_outermost_first),           cmocka_unit_test(reuses_the_common_prefix),
        cmocka_unit_test(truncates_to_the_newest),         cmocka_unit_test(marks_what_a_signal_interrupted),
        cmocka_unit_test(starts_anew_with_a_generation),   cmocka_unit_test(is_the_same_as_afresh),
    };
    return cmocka_run_group_tests(tests, setup_image, NULL);
}
