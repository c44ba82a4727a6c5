/* verify.c - see verify.h.
 * Owns:    MISMATCHES, each thread's reference stack.
 * Threads: each its own.  Signals: no.  Heap: none seen of libunwind. */
#include "verify.h"

#include "image/image.h"
#include "image/stacks.h"
#include "image/thread.h"
#include "platform/arena.h"
#include "platform/options.h"
#include "unwind/unwind.h"

#include <errno.h>
#include <stddef.h>

bool verify_open(void) {
    return unwinder_libunwind.open();
}

static struct call_stack *reference_of(struct thread *thread) {
    if (thread->reference == NULL) {
        struct call_stack *fresh = arena_take(sizeof *fresh);
        if (fresh == NULL || !call_stack_open(fresh, STACK_FRAMES_MAX, (struct stack_hash){3, 5}))
            return NULL;
        thread->reference = fresh;
    }
    return thread->reference;
}

/* What the reference has k-th, newest first; it need not know which frames a signal interrupted. */
static uint64_t reference_at(const struct call_stack *reference, uint32_t k) {
    return reference->frames[reference->count - 1 - k].pc & ~STACK_EXACT;
}

/* The first frame that differs, or the recorded stack's count. *guess: one frame before it has no CFI. */
static uint32_t compare(const struct ht_stack *stack, const struct call_stack *reference, bool *guess) {
    struct stacks_cursor cursor = stacks_newest(stack);
    uint32_t count = stack->frame_count, k = 0;
    *guess = false;
    for (; k < count; k++) {
        uint64_t pc = stacks_next(&cursor);
        if (k >= reference->count || (pc & ~STACK_EXACT) != reference_at(reference, k))
            return k;
        *guess = *guess || unwind_is_guess(pc);
    }
    return k;
}

/* ---- the record of a mismatch ---- */

static void record(const struct ht_stack *stack, const struct call_stack *reference, uint32_t differs_at) {
    uint64_t index = image_take(HT_REGION_MISMATCHES, 1);
    if (index == 0)
        return;
    struct ht_mismatch *mismatch = &image_mismatches[index];
    struct stacks_cursor cursor = stacks_newest(stack);
    mismatch->differs_at = differs_at;
    mismatch->frame_count = stack->frame_count;
    mismatch->reference_count = reference->count;
    mismatch->verified = __atomic_load_n(&image_header->verified_stacks, __ATOMIC_RELAXED);
    for (uint32_t k = 0; k < stack->frame_count && k < HT_MISMATCH_FRAMES; k++)
        mismatch->frames[k] = stacks_next(&cursor) & ~STACK_EXACT;
    for (uint32_t k = 0; k < reference->count && k < HT_MISMATCH_FRAMES; k++)
        mismatch->reference[k] = reference_at(reference, k);
    __atomic_store_n(&mismatch->valid, 1, __ATOMIC_RELEASE); /* partner: readers' acquire */
}

static void verify(const struct ht_stack *stack, const struct call_stack *reference) {
    bool guess, whole = stack->depth == stack->frame_count;
    uint32_t same = compare(stack, reference, &guess);
    __atomic_fetch_add(&image_header->verified_stacks, 1, __ATOMIC_RELAXED);
    if (same == stack->frame_count && (!whole || reference->count == same))
        return;
    __atomic_fetch_add(guess ? &image_header->guessed_stacks : &image_header->mismatched_stacks, 1,
                       __ATOMIC_RELAXED);
    if (!guess)
        record(stack, reference, same);
}

void verify_stack(struct thread *thread, uint32_t stack) {
    if (stack < HT_STACK_FIRST || ++thread->until_verify < options.verify_every)
        return;
    struct call_stack *reference = reference_of(thread);
    thread->until_verify = 0;
    if (reference == NULL)
        return;
    int saved = errno;
    unwind_by_steps(reference);
    errno = saved;
    verify(&image_stacks[stack], reference);
}
