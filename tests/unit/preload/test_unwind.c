/* test_unwind.c - the back-end cfi finds, on stacks of every shape, what libunwind's unw_step finds: frame by
 * frame, walked, rejoined or remembered. Both start in the same function. */
#include "support.h"

#include "image/image.h"
#include "unwind/cfi.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__x86_64__)

#define ROUNDS SCALED(3000)

static struct call_stack walked, reference;
static uint64_t visits, remembered, rejoined, compared, differences;

/* What the stacks were that a value was given to: its position in the pool, a count and the PCs. Not from the
 * heap, since handlers walk too. */
#define POOL_WORDS ((size_t)16 << 20)

static uintptr_t *pool;
static uint32_t pool_used = 1;

static uint32_t note(const struct call_stack *stack) {
    uint32_t at = pool_used;
    if (at + 1 + stack->count > POOL_WORDS)
        return 0;
    pool[at] = stack->count;
    for (uint32_t i = 0; i < stack->count; i++)
        pool[at + 1 + i] = stack->frames[i].pc & ~STACK_EXACT;
    pool_used += stack->count + 1;
    return at;
}

/* Outermost first. What a signal interrupted is marked by one of them alone. */
static bool equal(const uintptr_t *pcs, uint64_t count) {
    for (uint64_t i = 0; i < count && count == reference.count; i++)
        if (pcs[i] != (reference.frames[i].pc & ~STACK_EXACT))
            return false;
    return count == reference.count;
}

static void compare_walk(void) {
    uint32_t at = note(&walked);
    differences += at != 0 && !equal(pool + at + 1, pool[at]);
    compared += at != 0;
    if (at != 0)
        unwind_remember(&walked, at);
}

/* Called from the fixture; its own frame is of this program, which both leave out as they do the library's.
 */
static __attribute__((noinline)) void visit(void) {
    const struct caller *caller = CALLER_HERE;
    visits++;
    unwind_walk(&walked, caller);
    rejoined += walked.known == 0 && walked.cfi->base < walked.cfi->count;
    unwind_by_steps(&reference);
    if (walked.known == 0) {
        compare_walk();
        return;
    }
    remembered++;
    compared++;
    differences += !equal(pool + walked.known + 1, pool[walked.known]);
}

static void agrees(const char *shapes) {
    void *fixture = dlopen(shapes, RTLD_NOW);
    assert_non_null(fixture);
    void (*walk)(void (*)(void), uint64_t, int);
    void *symbol = dlsym(fixture, "shapes_walk");
    assert_non_null(symbol);
    memcpy(&walk, &symbol, sizeof walk);
    walk(visit, 88172645463325252u, ROUNDS);
    print_message("%lu stacks, %lu rejoined, %lu remembered\n", (unsigned long)visits,
                  (unsigned long)rejoined, (unsigned long)remembered);
    assert_int_equal(differences, 0);
    assert_true(compared == visits);
    assert_true(visits > (uint64_t)ROUNDS * 20);
    assert_true(rejoined > visits / 20);
    assert_true(remembered > visits / 100);
}

static void agrees_with_unw_step(void **state) {
    (void)state;
    agrees(SHAPES_O2);
}

static void agrees_with_frame_pointers(void **state) {
    (void)state;
    agrees(SHAPES_O0);
}

static void agrees_after_forgetting(void **state) {
    (void)state;
    unwind_forget();
    unwind_reset(&walked);
    assert_int_equal(walked.count, 0);
    agrees(SHAPES_O2);
}

static int open_both(void **state) {
    (void)setup_image(state);
    pool = mmap(NULL, POOL_WORDS * sizeof *pool, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pool != MAP_FAILED && unwinder_libunwind.open() &&
                   call_stack_open(&walked, STACK_FRAMES_MAX, test_point()) &&
                   call_stack_open(&reference, STACK_FRAMES_MAX, test_point())
               ? 0
               : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_unw_step),
        cmocka_unit_test(agrees_with_frame_pointers),
        cmocka_unit_test(agrees_after_forgetting),
    };
    return cmocka_run_group_tests(tests, open_both, NULL);
}

#else

int main(void) {
    return 0; /* cfi is of x86-64 */
}

#endif
