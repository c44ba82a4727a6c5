/* test_call_stack.c - a thread's last stack: what is kept, what is reused, what is started anew. */
#include "support.h"

#include "image/image.h"
#include "unwind/call_stack.h"

#include <string.h>

static struct stack_hash slow_hash(const struct call_stack *stack, uint32_t first, uint32_t end) {
    struct stack_hash hash = {1, 1};
    for (uint32_t i = first; i < end; i++) {
        const struct stack_frame *frame = &stack->frames[i];
        hash = stack_hash_put(hash, stack->point, frame->pc, frame->salt);
    }
    return stack_hash_canonical(hash);
}

static bool equal(struct stack_hash x, struct stack_hash y) {
    return x.a == y.a && x.b == y.b;
}

static void set_owners(struct call_stack *stack, uint32_t first) {
    for (uint32_t i = 0; i < stack->count; i++)
        stack->frames[i].owner = first + i;
}

static void keeps_outermost_first(void **state) {
    (void)state;
    struct call_stack stack;
    const uintptr_t pcs[] = {0x40, 0x30, 0x20, 0x10};
    assert_true(call_stack_open(&stack, 8, test_point()));
    assert_true(equal(call_stack_hash(&stack), (struct stack_hash){1, 1}));
    call_stack_set(&stack, pcs, 4);
    assert_int_equal(stack.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(stack.frames[i].pc, 0x10 * (i + 1));
        assert_int_equal(stack.frames[i].owner, 0);
        assert_true(equal(stack_hash_canonical(stack.frames[i].prefix), slow_hash(&stack, 0, i + 1)));
    }
    assert_true(equal(call_stack_hash(&stack), slow_hash(&stack, 0, 4)));
    call_stack_set(&stack, pcs, 0);
    assert_int_equal(stack.count, 0);
    assert_true(equal(call_stack_hash(&stack), (struct stack_hash){1, 1}));
}

static void reuses_the_common_prefix(void **state) {
    (void)state;
    struct call_stack stack;
    const uintptr_t first[] = {0x50, 0x40, 0x30, 0x20, 0x10}, second[] = {0x61, 0x51, 0x30, 0x20, 0x10};
    const uintptr_t third[] = {0x20, 0x10}, fourth[] = {0x50, 0x40, 0x30, 0x20, 0x11};
    assert_true(call_stack_open(&stack, 8, test_point()));
    call_stack_set(&stack, first, 5);
    set_owners(&stack, 100);
    call_stack_set(&stack, second, 5);
    const uint32_t owners[] = {100, 101, 102, 0, 0};
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(stack.frames[i].owner, owners[i]);
    assert_true(equal(call_stack_hash(&stack), slow_hash(&stack, 0, 5)));
    call_stack_set(&stack, third, 2);
    assert_int_equal(stack.frames[1].owner, 101);
    call_stack_set(&stack, first, 5); /* what was cut off is not remembered */
    assert_int_equal(stack.frames[2].owner, 0);
    call_stack_set(&stack, fourth, 5); /* another outermost frame: nothing in common */
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(stack.frames[i].owner, 0);
}

static void has_a_window(void **state) {
    (void)state;
    struct call_stack stack;
    uintptr_t pcs[100];
    for (uint32_t i = 0; i < 100; i++)
        pcs[i] = 0x1000 - i;
    assert_true(call_stack_open(&stack, 7, test_point()));
    call_stack_set(&stack, pcs, 100);
    assert_int_equal(stack.count, 100);
    assert_int_equal(call_stack_first(&stack), 93);
    struct stack_hash window = call_stack_hash(&stack);
    assert_true(equal(window, slow_hash(&stack, 93, 100)));
    call_stack_set(&stack, pcs, 50); /* other depth, same newest seven */
    assert_true(equal(call_stack_hash(&stack), window));
    pcs[7] = 1; /* below the window */
    call_stack_set(&stack, pcs, 100);
    assert_true(equal(call_stack_hash(&stack), window));
    pcs[6] = 1;
    call_stack_set(&stack, pcs, 100);
    assert_false(equal(call_stack_hash(&stack), window));
    call_stack_set(&stack, pcs, 7);
    assert_int_equal(call_stack_first(&stack), 0);
    assert_true(equal(call_stack_hash(&stack), slow_hash(&stack, 0, 7)));
}

static void marks_what_a_signal_interrupted(void **state) {
    (void)state;
    struct call_stack stack;
    const uintptr_t pcs[] = {0x50, 0x777, 0x30, 0x20, 0x10};
    assert_true(call_stack_open(&stack, 8, test_point()));
    call_stack_signal_return = 0x777;
    call_stack_set(&stack, pcs, 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal((stack.frames[i].pc & STACK_EXACT) != 0, i == 2);
    assert_int_equal(stack.frames[2].pc & ~STACK_EXACT, 0x30);
    struct stack_hash with = call_stack_hash(&stack);
    call_stack_signal_return = 0;
    call_stack_set(&stack, pcs, 5);
    assert_false(equal(call_stack_hash(&stack), with));
    assert_int_equal(stack.frames[2].pc, 0x30);
}

static void starts_anew_where_code_was_reused(void **state) {
    (void)state;
    struct call_stack stack;
    const uintptr_t pcs[] = {0x30, 0x20, 0x10};
    assert_true(call_stack_open(&stack, 8, test_point()));
    call_stack_set(&stack, pcs, 3);
    set_owners(&stack, 50);
    struct stack_hash before = call_stack_hash(&stack);
    call_stack_set(&stack, pcs, 3);
    assert_int_equal(stack.frames[2].owner, 52);
    assert_true(reused_code_add(0x5000, 0x6000)); /* elsewhere */
    call_stack_set(&stack, pcs, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(stack.frames[i].owner, 0);
    assert_true(equal(call_stack_hash(&stack), before));
    assert_true(reused_code_add(0x20, 0x28));
    call_stack_set(&stack, pcs, 3);
    assert_int_equal(stack.frames[1].salt, 1);
    assert_false(equal(call_stack_hash(&stack), before));
}

/* However the last stack helped, the result is as afresh. */
static void is_the_same_as_afresh(void **state) {
    (void)state;
    struct call_stack reused, fresh;
    uintptr_t pcs[64];
    uint64_t seed = 5;
    assert_true(call_stack_open(&reused, 40, test_point()) && call_stack_open(&fresh, 40, test_point()));
    call_stack_signal_return = 0x777;
    for (int i = 0; i < SCALED(50000); i++) {
        uint32_t count = (uint32_t)random_below(&seed, 60);
        for (uint32_t j = 0; j < count; j++) /* outermost frames vary least */
            pcs[count - 1 - j] = random_below(&seed, 40) == 0
                                     ? 0x777
                                     : 0x1000 + (random_below(&seed, 9) == 0 ? 1u : 0u) + (j << 8);
        call_stack_set(&reused, pcs, count);
        fresh.count = 0;
        call_stack_set(&fresh, pcs, count);
        assert_int_equal(reused.count, fresh.count);
        for (uint32_t j = 0; j < fresh.count; j++)
            assert_true(reused.frames[j].pc == fresh.frames[j].pc);
        assert_true(equal(call_stack_hash(&reused), call_stack_hash(&fresh)));
    }
    call_stack_signal_return = 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_outermost_first), cmocka_unit_test(reuses_the_common_prefix),
        cmocka_unit_test(has_a_window),          cmocka_unit_test(marks_what_a_signal_interrupted),
        cmocka_unit_test(is_the_same_as_afresh), cmocka_unit_test(starts_anew_where_code_was_reused),
    };
    return cmocka_run_group_tests(tests, setup_image, NULL);
}
