/* cfi.h - what the back-end cfi keeps of a thread's last stacks, and the look into it that is made first.
 *
 * See cfi.c for what it is and why it is exact. Here is the part that most allocations end with, inline.
 *
 * Threads: each its own.  Signals: no (the owner's guard).  Heap: never. */
#ifndef HEAPTALLY_CFI_H
#define HEAPTALLY_CFI_H

#include "cfi_rows.h"
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
 * memo does not have, but memory does, gives the next place, so each place decides by another word. Now and
 * then a memo changes places with the one before it, so that stacks that are often met come to be found at
 * first. */
#define MEMO_WORDS  10
#define MEMO_BITS   9
#define MEMO_COUNT  (1u << MEMO_BITS)
#define MEMO_PLACES 4
#define MEMO_TURN   32u /* one of so many that are found later moves forward */

struct memo {
    uintptr_t pc; /* the newest frame's; 0: none */
    uintptr_t sp;
    struct stack_hash base_prefix;
    uintptr_t base_sp;
    const struct frame *base;
    const struct stack_frame *base_frame; /* the same one's */
    uint32_t value;
    uint16_t deep; /* frames of the whole stack, if more than nframe; else 0 */
    union {
        struct {
            uint8_t needs_bp, base_needs_bp;
        };
        uint16_t need_any;
    };
    struct word words[MEMO_WORDS + 1]; /* newest first, down to those of the base; then one that differs,
                                          whose slot is the memo */
    uintptr_t bp, base_bp;             /* the newest frame's, the base's */
} __attribute__((aligned(64)));
_Static_assert(offsetof(struct memo, words) == 64, "most looks end with two lines of the cache");
_Static_assert(sizeof(struct memo) == 256, "found by a shift; what is compared first is on one line");
_Static_assert(STACK_FRAMES_MAX <= UINT16_MAX, "deep");

struct cfi_stack {
    uint32_t generation;     /* of the rows that the kept frames are of */
    uint32_t count;          /* kept frames; 0: nothing to rejoin */
    const struct frame *end; /* of them */
    struct word *words;      /* oldest first; the end's, then each frame's: at most 3; words[-1] differs */
    struct frame *frames; /* outermost first; frames[-1] is none's: its words are those of the step out of the
                             outermost frame, which found no caller */
    uint32_t base;        /* where the last walk rejoined; count if it did not */
    uint32_t nframe;      /* of the call_stack, when the memos were made */
    bool guessed;         /* the last walk went by a guess */
    bool missed;          /* the last look was for this very stack, in vain */
    uint32_t vacant;      /* where it ended: the place for a new memo */
    uint32_t later;       /* looks that ended well, but not in the first place */
    struct walked *walk;  /* newest first */
    uintptr_t
        *extra_slot; /* of kept frames from FROM_REALIGNED (their CFA's) and FROM_SIGNAL (their rsp's) */
    struct known_memory memory;
    struct cfi_rows_late rows;
    struct memo memos[]; /* MEMO_COUNT */
};

/* A call_stack's before its first walk, and for ever where another back-end walks: nothing is found in it. */
extern struct cfi_stack cfi_none;

/* (atomic) Advances when code is unmapped; cfi_none's is never reached. */
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

/* As an offset, which is all that is wanted of it: the middle of the sum of two products, by constants that
 * fit into the instruction. */
static inline struct memo *cfi_first_place(struct cfi_stack *self, uintptr_t pc, uintptr_t sp) {
    uint64_t offset = (pc * 0x61C88647u + sp * 0x5851F42Du) >> 24 & (MEMO_COUNT - 1) * sizeof *self->memos;
    return (struct memo *)(void *)((char *)self->memos + offset);
}

static inline bool cfi_is_current(const struct cfi_stack *self) {
    /* acquire: partner of forget in cfi.c */
    return likely(self->generation == __atomic_load_n(&cfi_generation, __ATOMIC_ACQUIRE));
}

static inline bool cfi_begins(const struct memo *memo, uintptr_t pc, uintptr_t sp) {
    return likely(memo->pc == pc) && likely(memo->sp == sp);
}

/* Whether the memo's base is there, and it and all below it are what they were. bp: the newest frame's. */
static inline __attribute__((always_inline)) bool cfi_is_based(const struct cfi_stack *self,
                                                               const struct memo *memo, uintptr_t bp) {
    return likely(memo->base < self->end) && likely(memo->base->sp == memo->base_sp) &&
           likely(memo->base_frame->prefix.a == memo->base_prefix.a) &&
           likely(memo->base_frame->prefix.b == memo->base_prefix.b) &&
           (likely(memo->need_any == 0) || ((memo->needs_bp == 0 || memo->bp == bp) &&
                                            (memo->base_needs_bp == 0 || memo->base_bp == memo->base->bp)));
}

/* The slot of the first of the memo's words that is not what it was; the memo itself: all are. */
static inline __attribute__((always_inline)) uintptr_t cfi_changed_slot(const struct memo *memo) {
    uintptr_t slot;
#pragma GCC unroll 16
    for (uint32_t i = 0; i <= MEMO_WORDS; i++) {
        slot = memo->words[i].slot;
        if (word_at(slot) != memo->words[i].value)
            break;
    }
    return slot;
}

static inline bool cfi_same_below(const struct word **at) {
    --*at;
    return word_at((*at)->slot) == (*at)->value;
}

/* Whether the words of the kept frames below the memo's base are what they were, down to the window. */
static inline __attribute__((always_inline)) bool
cfi_is_kept(const struct call_stack *stack, const struct cfi_stack *self, const struct memo *memo) {
    const struct word *words = self->words, *at = words + memo->base[-1].words;
    if (unlikely(memo->deep != 0)) {
        int64_t low = cfi_first_word(stack, memo->deep), end = memo->base[-1].words;
        return end <= low || cfi_changed_word(words, low, end) < low;
    }
    while (cfi_same_below(&at) && cfi_same_below(&at) && cfi_same_below(&at) && cfi_same_below(&at))
        ;
    return at < words;
}

/* The value remembered for the stack of a caller, if it is in the first place to look at; else *slot is what
 * cfi_recall wants. Calls nothing. */
static inline __attribute__((always_inline)) bool cfi_recall_first(const struct call_stack *stack,
                                                                   uintptr_t pc, uintptr_t sp, uintptr_t bp,
                                                                   uint32_t *value, uintptr_t *slot) {
    struct cfi_stack *self = stack->cfi;
    const struct memo *memo = cfi_first_place(self, pc, sp);
    *slot = 0;
    if (!cfi_is_current(self) || !cfi_begins(memo, pc, sp) || !cfi_is_based(self, memo, bp))
        return false;
    uintptr_t changed = cfi_changed_slot(memo);
    if (unlikely(changed != (uintptr_t)memo)) {
        *slot = changed;
        return false;
    }
    *slot = (uintptr_t)memo; /* which `changed` is: but so it need not stay in a register of its own */
    if (unlikely(!cfi_is_kept(stack, self, memo)))
        return false;
    *value = memo->value;
    return true;
}

/* As cfi_recall_first, in all places; if in vain, the walk need not look again. slot: 0, or of the words in
 * the first place the one that decides about the next (the memo itself: none, and the stack is not there). */
uint32_t cfi_recall(struct call_stack *stack, uintptr_t pc, uintptr_t sp, uintptr_t bp, uintptr_t slot);

#endif
