/* cfi.c - back-end: steps by rows of call frame information, and does not walk what has not changed.
 *
 * Exact where compilers describe their code: a step needs the CFA, which is rsp or rbp plus a constant or
 * one load, the return address at CFA - 8, and rbp where it was saved. A frame that needs more (a few
 * hand-written functions of the loader and of libcrypto) sends the whole stack to the back-end gcc. Code
 * without call frame information, as JITs make it, is taken for frame-pointer code and checked.
 *
 * Why the part that is not walked is right. To step out of a frame is a function of its state - pc, rsp and,
 * where it is used, rbp - and of the memory words that the step reads: the return address, a saved rbp, the
 * word that a realigned frame finds its CFA in, three words of a signal's ucontext. All older frames
 * are then a function of one frame's state and of the words read from there on. The last stack is kept with
 * these words, in walking order. A new walk goes by rows until it meets the state of a kept frame; if every
 * word below it is unchanged, what lies below is the kept stack. The words are compared newest first, so
 * each is read only once all those are equal that made it the one to be read. If one differs, the walk
 * goes on by rows, and may meet the kept stack again below it. A saved rbp that nothing below uses is no
 * such word: functions save it as they save any register. Nothing is assumed of longjmp, exceptions,
 * coroutines or recycled stacks: what they change is seen. That a pc's row is constant is assumed, and made
 * true by forgetting all rows when code is unmapped.
 *
 * A kept frame is met with rbp loaded from another slot than last time, since the frames above it are
 * others: its own words are written anew on every meeting.
 *
 * A memo of recent stacks, by newest frame, saves the walk where a few newest frames alternate above one
 * kept frame: it holds their words down to that frame, which is told apart by a serial number.
 *
 * Measured: 6 ns a walked frame, under 1 ns a kept one.
 *
 * Threads: any, lock-free.  Signals: safe.  Heap: never.  Loader's lock: never. */
#include "unwind.h"

#include "cfi_rows.h"
#include "cfi_step.h"

#include "../platform/arena.h"

#include <stddef.h>

#if defined(__x86_64__)

/* ---- what is kept of a stack ---- */

struct word {
    uintptr_t slot, value;
};

/* A whole stack by its newest frames: those above a kept frame, as the words that the steps read. */
#define MEMO_WORDS 10
#define MEMO_BITS  10

struct memo {
    uintptr_t pc, sp, bp; /* the newest frame */
    uint64_t serial;      /* of the kept frame `base` */
    uint32_t base;
    uint32_t value;
    uint8_t count;
    bool needs_bp;
    struct word words[MEMO_WORDS]; /* newest first, down to those of the base */
};

struct cfi_stack {
    struct known_memory memory;
    uint32_t generation; /* of the rows that the kept frames are of */
    uint32_t count;      /* kept frames; 0: nothing to rejoin */
    uint32_t end_words;  /* words read by the step out of the outermost frame, which found no caller */
    uint32_t walked;
    uint32_t base;        /* where the last walk rejoined; count if it did not */
    uint64_t serial;      /* last one given */
    struct frame *frames; /* outermost first */
    uint64_t
        *serials; /* of kept frames: two frames at one index with one serial are the same, with all below */
    struct word *words; /* oldest first; the end's, then each frame's: at most 3 */
    struct frame *walk; /* newest first */
    uintptr_t
        *extra_slot; /* of kept frames from FROM_REALIGNED (their CFA's) and FROM_SIGNAL (their rsp's) */
    uintptr_t *walk_extra; /* the same of the walk */
    struct memo memos[1u << MEMO_BITS];
};

static uint32_t row_generation; /* (atomic) advances when code is unmapped */

static struct cfi_stack *make(void) {
    struct cfi_stack *self = arena_map(sizeof *self);
    if (self == NULL)
        return NULL;
    self->frames = arena_map(2 * UNWIND_MAX * sizeof *self->frames);
    self->words = arena_map(3 * (UNWIND_MAX + 1) * sizeof *self->words);
    self->extra_slot = arena_map(2 * UNWIND_MAX * sizeof *self->extra_slot);
    self->serials = arena_map(UNWIND_MAX * sizeof *self->serials);
    self->walk = self->frames + UNWIND_MAX;
    self->walk_extra = self->extra_slot + UNWIND_MAX;
    return self->frames != NULL && self->words != NULL && self->serials != NULL && self->extra_slot != NULL
               ? self
               : NULL;
}

/* ---- meeting the kept stack ---- */

static inline bool same_state(const struct frame *kept, const struct frame *now) {
    return kept->pc == now->pc && kept->sp == now->sp && (!kept->needs_bp || kept->bp == now->bp) &&
           row_address(kept) == row_address(now);
}

/* The kept frame with the state of `now`, at index *from or below, or -1. Along one stack rsp falls from
 * old to new, so frames that lie below `now` are passed by. */
static inline int64_t find_kept(const struct cfi_stack *self, int64_t from, const struct frame *now) {
    while (from >= 0 && self->frames[from].sp < now->sp)
        from--;
    return from;
}

/* Index of the newest word below frame `at` that has changed, or -1. */
static inline int64_t changed_word(const struct cfi_stack *self, int64_t at) {
    int64_t i = (int64_t)(at > 0 ? self->frames[at - 1].words : self->end_words) - 1;
    while (i >= 0 && likely(word_at(self->words[i].slot) == self->words[i].value))
        i--;
    return i;
}

/* The newest kept frame that was there before the word was read: below the step that read it. */
static int64_t below_word(const struct cfi_stack *self, int64_t at, int64_t word) {
    while (at >= 0 && (int64_t)(at > 0 ? self->frames[at - 1].words : self->end_words) > word)
        at--;
    return at - 1;
}

static inline uint32_t add_word(struct cfi_stack *self, uint32_t count, uintptr_t slot, uintptr_t value) {
    self->words[count] = (struct word){slot, value};
    return count + 1;
}

/* Enters the words that the step to frame `at` read; compared from the last to the first. */
static inline void enter_words(struct cfi_stack *self, uint32_t at) {
    struct frame *frame = &self->frames[at];
    uint32_t count = at > 0 ? self->frames[at - 1].words : self->end_words;
    uintptr_t extra = self->extra_slot[at];
    if (frame->needs_bp && frame->bp_slot != 0)
        count = add_word(self, count, frame->bp_slot, frame->bp);
    if (likely(frame->from == FROM_CALL)) {
        count = add_word(self, count, frame->sp - 8, frame->pc);
    } else if (frame->from == FROM_REALIGNED) {
        count = add_word(self, count, frame->sp - 8, frame->pc);
        count = add_word(self, count, extra, frame->sp);
    } else if (frame->from == FROM_SIGNAL) {
        count = add_word(self, count, extra + UCONTEXT_PC - UCONTEXT_SP, frame->pc);
        count = add_word(self, count, extra, frame->sp);
    }
    frame->words = count;
}

static inline bool uses_bp(const struct frame *frame, const struct frame *older) {
    const struct cfi_row row = frame->row;
    if (row.kind == CFI_END || row.kind == CFI_SIGNAL)
        return false;
    if (row.kind != CFI_FROM_SP || row.bp == CFI_BP_FRAME)
        return true;
    return row.bp == CFI_BP_KEPT && older != NULL && older->needs_bp;
}

/* ---- memo of recent stacks ---- */

static struct memo *memo_of(struct cfi_stack *self, uintptr_t pc, uintptr_t sp) {
    uint64_t hash = sp * 0x9E3779B97F4A7C15u ^ pc * 0xD6E8FEB86659FD93u;
    return &self->memos[hash >> (64 - MEMO_BITS)];
}

/* The value remembered for the stack of `now`, or 0. It is that stack if the words of its newest frames, and
 * those of the kept ones below, are what they were: the same reasoning as for a walk that rejoins. */
static uint32_t recall(struct cfi_stack *self, const struct frame *now) {
    const struct memo *memo = memo_of(self, now->pc, now->sp);
    if (memo->pc != now->pc || memo->sp != now->sp || (memo->needs_bp && memo->bp != now->bp) ||
        memo->base >= self->count || self->serials[memo->base] != memo->serial)
        return 0;
    for (uint32_t i = 0; i < memo->count; i++)
        if (word_at(memo->words[i].slot) != memo->words[i].value)
            return 0;
    return changed_word(self, memo->base) < 0 ? memo->value : 0;
}

static void remember(struct call_stack *stack, uint32_t value) {
    struct cfi_stack *self = stack->cfi;
    if (self == NULL || self->base + 1 >= self->count || value == 0)
        return;
    const struct frame *newest = &self->frames[self->count - 1];
    uint32_t first = self->base > 0 ? self->frames[self->base - 1].words : self->end_words;
    uint32_t count = newest->words - first;
    if (count > MEMO_WORDS || newest->from != FROM_CALLER)
        return;
    struct memo *memo = memo_of(self, newest->pc, newest->sp);
    *memo = (struct memo){.pc = newest->pc,
                          .sp = newest->sp,
                          .bp = newest->bp,
                          .needs_bp = newest->needs_bp,
                          .serial = self->serials[self->base],
                          .base = self->base,
                          .value = value,
                          .count = (uint8_t)count};
    for (uint32_t i = 0; i < count; i++)
        memo->words[i] = self->words[newest->words - 1 - i];
}

/* Code was unmapped, or the last walk is not to be trusted. */
static void start_anew(struct call_stack *stack, uint32_t generation) {
    struct cfi_stack *self = stack->cfi;
    self->generation = generation;
    self->count = self->base = 0; /* no memo has a base below it */
    stack->stale = false;
}

/* ---- a whole stack ---- */

/* Puts the walked frames on top of the `kept` oldest ones. */
static void append(struct call_stack *stack, uint32_t kept) {
    struct cfi_stack *self = stack->cfi;
    uint32_t at = kept, before = stack->count;
    bool same = true;
    for (uint32_t i = self->walked; i != 0 && at < UNWIND_MAX; i--, at++) {
        struct frame *frame = &self->frames[at];
        *frame = self->walk[i - 1];
        if (unlikely(frame->from != FROM_CALL))
            self->extra_slot[at] = self->walk_extra[i - 1];
        self->serials[at] = ++self->serial;
        frame->needs_bp = uses_bp(frame, at > 0 ? frame - 1 : NULL);
        enter_words(self, at);
        same = same && at < before && stack->pcs[at] == frame->pc;
        stack->shared = same ? at + 1 : stack->shared;
        stack->pcs[at] = frame->pc;
    }
    self->count = stack->count = at;
}

/* The walk has met kept frame `at`, and everything below is unchanged. */
static void rejoin(struct call_stack *stack, int64_t at, const struct frame *now) {
    struct cfi_stack *self = stack->cfi;
    struct frame *kept = &self->frames[at];
    uintptr_t extra = self->walk_extra[now - self->walk];
    if (kept->bp_slot != now->bp_slot || kept->bp != now->bp || kept->from != now->from ||
        (now->from != FROM_CALL && self->extra_slot[at] != extra)) {
        kept->bp_slot = now->bp_slot;
        kept->bp = now->bp;
        kept->from = now->from;
        self->extra_slot[at] = extra;
        enter_words(self, (uint32_t)at);
    }
    stack->shared = (uint32_t)at + 1;
    self->base = (uint32_t)at;
    append(stack, (uint32_t)at + 1);
}

/* The walk has come to the end of the stack; `end` is what the last step made. */
static void finish(struct call_stack *stack, enum step result, const struct frame *end) {
    struct cfi_stack *self = stack->cfi;
    self->end_words = 0;
    if (result == STEPPED && end->from == FROM_CALL) /* to a return address of 0 */
        self->end_words = add_word(self, 0, end->sp - 8, 0);
    else if (result == STEPPED)
        result = ENDED_BY_MEMORY;
    stack->shared = 0;
    append(stack, 0);
    self->base = self->count;
    if (result == ENDED_BY_MEMORY)
        self->count = 0; /* it depends on what can be read, or is not the whole stack: do not rejoin it */
}

static void walk_by_gcc(struct call_stack *stack, const struct caller *caller) {
    stack->cfi->count = stack->cfi->base = 0;
    unwinder_gcc.walk(stack, caller);
}

static void walk_from(struct call_stack *stack, const struct frame *start, const struct caller *caller) {
    struct cfi_stack *self = stack->cfi;
    int64_t kept = (int64_t)self->count - 1;
    struct frame *now = self->walk;
    enum step result;
    *now = *start;
    for (self->walked = 0;; now++) {
        kept = find_kept(self, kept, now);
        if (kept >= 0 && same_state(&self->frames[kept], now)) {
            int64_t word = changed_word(self, kept);
            if (likely(word < 0)) {
                rejoin(stack, kept, now);
                return;
            }
            kept = below_word(self, kept, word);
        }
        self->walked++;
        now->row = cfi_rows_find(row_address(now));
        if (self->walked == UNWIND_MAX) {
            finish(stack, ENDED_BY_MEMORY, now);
            return;
        }
        result = step(&self->memory, now, now + 1, &self->walk_extra[self->walked]);
        if (unlikely(result != STEPPED) || unlikely(now[1].pc == 0))
            break;
        if (unlikely(now[1].from == FROM_SIGNAL)) /* onto another stack, perhaps */
            kept = (int64_t)self->count - 1;
    }
    if (result == NEEDS_MORE)
        walk_by_gcc(stack, caller);
    else
        finish(stack, result, now + 1);
}

static void walk(struct call_stack *stack, const struct caller *caller) {
    if (unlikely(stack->cfi == NULL) && (stack->cfi = make()) == NULL) {
        unwinder_gcc.walk(stack, caller);
        return;
    }
    uint32_t generation = __atomic_load_n(&row_generation, __ATOMIC_ACQUIRE); /* partner: forget */
    if (unlikely(stack->stale) || unlikely(stack->cfi->generation != generation))
        start_anew(stack, generation);
    struct frame start = {.pc = caller->pc, .sp = caller->sp, .bp = caller->bp, .from = FROM_CALLER};
    while (unlikely(unwind_is_own(start.pc))) { /* one hook called another */
        struct frame outer = {.pc = 0};
        uintptr_t extra_slot;
        start.row = cfi_rows_find(start.pc - 1);
        if (step(&stack->cfi->memory, &start, &outer, &extra_slot) != STEPPED)
            break;
        start = (struct frame){.pc = outer.pc, .sp = outer.sp, .bp = outer.bp, .from = FROM_CALLER};
    }
    stack->known = recall(stack->cfi, &start);
    if (stack->known == 0)
        walk_from(stack, &start, caller);
}

static void forget(void) {
    cfi_rows_forget();
    __atomic_fetch_add(&row_generation, 1, __ATOMIC_RELEASE);
}

static bool open_always(void) {
    return true;
}

const struct unwinder unwinder_cfi = {"cfi", open_always, walk, walk, remember, forget};

#endif
