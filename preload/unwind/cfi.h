/* cfi.h - what the back-end cfi keeps of a thread's last stacks, and the look into it that is made first.
 *
 * See cfi.c for what it is and why it is exact. Here is the part that most allocations end with, inline.
 *
 * Threads: each its own.  Signals: no (the owner's guard).  Heap: never. */
#ifndef HEAPTALLY_CFI_H
#define HEAPTALLY_CFI_H

#include "cfi_step.h"
#include "unwind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A word of memory that unwinding read. */
struct word {
    uintptr_t slot, value;
};

/* A whole stack by its newest frames: those above a kept frame, the base, as the words that the steps read.
 * The base is the same again if its state is, and the hash of all that lies below it.
 *
 * The first place to look is given by pc and sp. Stacks that have these in common differ in some word: what a
 * memo does not have, but memory does, gives the next place, so each place decides by another word. */
#define MEMO_WORDS  11
#define MEMO_BITS   9
#define MEMO_PLACES 4

struct memo {
    uintptr_t pc, sp; /* the newest frame's */
    uintptr_t base_sp;
    struct stack_hash base_prefix;
    uint32_t epoch; /* of the cfi_stack */
    uint32_t value;
    uint32_t base;
    uint32_t depth; /* frames of the whole stack */
    uint32_t count;
    union {
        struct {
            uint8_t needs_bp, base_needs_bp;
        };
        uint16_t need_any;
    };
    struct word words[MEMO_WORDS]; /* newest first, down to those of the base */
    uintptr_t bp, base_bp;         /* the newest frame's, the base's */
} __attribute__((aligned(64)));
_Static_assert(offsetof(struct memo, words) == 64, "most looks end with two lines of the cache");
_Static_assert(sizeof(struct memo) == 256, "found by a shift; what is compared first is on one line");

struct cfi_stack {
    uint32_t generation;  /* of the rows that the kept frames are of */
    uint32_t epoch;       /* memos of others are void */
    uint32_t count;       /* kept frames; 0: nothing to rejoin */
    uint32_t base;        /* where the last walk rejoined; count if it did not */
    bool guessed;         /* the last walk went by a guess */
    bool missed;          /* the last look was for this very stack, in vain */
    uint32_t vacant;      /* where it ended: the place for a new memo */
    struct word *words;   /* oldest first; the end's, then each frame's: at most 3 */
    struct frame *frames; /* outermost first; frames[-1] is none's: its words are those of the step out of the
                             outermost frame, which found no caller */
    struct walked *walk;  /* newest first */
    uintptr_t
        *extra_slot; /* of kept frames from FROM_REALIGNED (their CFA's) and FROM_SIGNAL (their rsp's) */
    struct known_memory memory;
    struct memo memos[1u << MEMO_BITS];
};

/* (atomic) Advances when code is unmapped. */
extern uint32_t cfi_generation;

/* The last walk is not to be trusted, or was another thread's. */
void cfi_reset(struct call_stack *stack);

/* Index of the newest word in [low, end) that is not what it was, or low - 1. Newest first: so each is read
 * only once all those are equal that made it the one to be read. Four at a turn, after what is over: of most
 * allocations this is the largest part. */
static inline int64_t cfi_changed_word(const struct word *words, int64_t low, int64_t end) {
    const struct word *at = words + end, *first = words + low;
#define CHANGED(n) unlikely(word_at(at[-(n)].slot) != at[-(n)].value)
    switch ((end - low) & 3) {
    case 3:
        if (CHANGED(1))
            return at - 1 - words;
        at--;
        /* fall through */
    case 2:
        if (CHANGED(1))
            return at - 1 - words;
        at--;
        /* fall through */
    case 1:
        if (CHANGED(1))
            return at - 1 - words;
        at--;
        /* fall through */
    default: break;
    }
    for (; at != first; at -= 4) {
        if (CHANGED(1))
            return at - 1 - words;
        if (CHANGED(2))
            return at - 2 - words;
        if (CHANGED(3))
            return at - 3 - words;
        if (CHANGED(4))
            return at - 4 - words;
    }
#undef CHANGED
    return low - 1;
}

/* How many of the oldest words are of kept frames below `frame`. */
static inline uint32_t cfi_words_below(const struct cfi_stack *self, int64_t frame) {
    return self->frames[frame - 1].words;
}

/* Where the words begin that a stack of `count` frames depends on: below the window nothing matters. */
static inline int64_t cfi_first_word(const struct call_stack *stack, uint32_t count) {
    return likely(count <= stack->nframe) ? 0 : cfi_words_below(stack->cfi, count - stack->nframe);
}

static inline uint32_t cfi_next_place(uint64_t place, uint64_t word) {
    return (uint32_t)((place ^ word) * 0x9E3779B97F4A7C15u >> (64 - MEMO_BITS));
}

static inline bool cfi_is_base(const struct call_stack *stack, const struct memo *memo, uintptr_t bp) {
    const struct frame *base = &stack->cfi->frames[memo->base];
    const struct stack_hash *prefix = &stack->frames[memo->base].prefix;
    return base->sp == memo->base_sp && prefix->a == memo->base_prefix.a &&
           prefix->b == memo->base_prefix.b &&
           (likely(memo->need_any == 0) || ((memo->needs_bp == 0 || memo->bp == bp) &&
                                            (memo->base_needs_bp == 0 || memo->base_bp == base->bp)));
}

/* Whether the memo is of the newest frame and the base of the caller's stack; if so, *word is the first of
 * its words that is not what it was, null if there is none. */
static inline __attribute__((always_inline)) bool cfi_begins(const struct call_stack *stack,
                                                             const struct memo *memo, uintptr_t pc,
                                                             uintptr_t sp, uintptr_t bp,
                                                             const struct word **word) {
    const struct cfi_stack *self = stack->cfi;
    if (memo->pc != pc || memo->sp != sp || unlikely(memo->epoch != self->epoch) ||
        unlikely(memo->base >= self->count) || !cfi_is_base(stack, memo, bp))
        return false;
    const struct word *at = memo->words, *end = at + memo->count;
    while (at != end && word_at(at->slot) == at->value)
        at++;
    *word = at == end ? NULL : at;
    return true;
}

/* Whether the words of the kept frames below the memo's base are what they were, down to the window. */
static inline bool cfi_is_kept(const struct call_stack *stack, const struct memo *memo) {
    const struct cfi_stack *self = stack->cfi;
    int64_t low = cfi_first_word(stack, memo->depth), last = cfi_words_below(self, memo->base);
    return last <= low || cfi_changed_word(self->words, low, last) < low;
}

/* The value remembered for the stack of a caller, or 0. */
static inline __attribute__((always_inline)) uint32_t cfi_recall(struct call_stack *stack, uintptr_t pc,
                                                                 uintptr_t sp, uintptr_t bp) {
    struct cfi_stack *self = stack->cfi;
    /* acquire: partner of forget in cfi.c */
    if (unlikely(self == NULL) ||
        unlikely(self->generation != __atomic_load_n(&cfi_generation, __ATOMIC_ACQUIRE)))
        return 0;
    const struct memo *memo = &self->memos[cfi_next_place(sp * 0xD6E8FEB86659FD93u, pc)];
    const struct word *word;
    for (int more = MEMO_PLACES - 1; likely(cfi_begins(stack, memo, pc, sp, bp, &word)); more--) {
        if (likely(word == NULL)) {
            if (likely(cfi_is_kept(stack, memo)))
                return memo->value;
            break;
        }
        if (more == 0)
            break;
        memo = &self->memos[cfi_next_place((uint64_t)(memo - self->memos), word_at(word->slot))];
    }
    self->vacant = (uint32_t)(memo - self->memos);
    self->missed = true;
    return 0;
}

#endif
