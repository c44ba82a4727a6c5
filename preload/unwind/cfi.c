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
 * frame, the base: it holds their words down to the base's. What lies below the base is known by the hash of
 * its return addresses (call_stack.h): if a kept frame has the base's state and that hash, and the words that
 * are kept of the frames below it are unchanged, the whole stack is the remembered one. A stack with a guess
 * in it is not remembered: the words of a memo may be read long after, and a guess may have led astray.
 *
 * Of a stack deeper than nframe only the window is wanted: words below it are not compared, and a walk that
 * meets nothing gives up soon below it. So a recursion of a million frames costs what one of nframe does.
 *
 * Measured: 6 ns a walked frame, 0.4 ns a kept one.
 *
 * Threads: any, lock-free.  Signals: safe.  Heap: never.  Loader's lock: never. */
#include "cfi.h"

#include "../platform/arena.h"

#include <stddef.h>
#include <string.h>

struct cfi_stack cfi_none;

#if defined(__x86_64__)

/* Frames that a walk goes below the window before it gives up. */
#define WALK_BELOW 2048u

uint32_t cfi_generation = 1;

static uint32_t walk_limit(const struct call_stack *stack) {
    uint32_t limit = stack->nframe + WALK_BELOW;
    return limit < stack->capacity ? limit : stack->capacity;
}

static void set_count(struct call_stack *stack, uint32_t count) {
    stack->cfi->count = count;
    stack->cfi->end = stack->cfi->frames + count;
}

/* The last walk is not to be trusted. What memos say is: their words are read as a walk would read them. */
static void start_anew(struct call_stack *stack) {
    set_count(stack, 0);
    stack->cfi->base = 0;
    stack->cfi->memory = (struct known_memory){0, 0}; /* may be of another thread's stack */
    stack->count = 0;
}

/* All in one mapping: without memory nothing is left behind, however often that is tried. False: no memory.
 */
static bool make(struct call_stack *stack) {
    size_t capacity = stack->capacity; /* of all, since nframe may change up to that (call_stack_keep) */
    size_t own = sizeof(struct cfi_stack) + MEMO_COUNT * sizeof(struct memo);
    size_t walk = (capacity + 2) * sizeof(struct walked), frames = (capacity + 1) * sizeof(struct frame);
    size_t words = (3 * (capacity + 1) + 1) * sizeof(struct word), extra = capacity * sizeof(uintptr_t);
    char *at = arena_map(own + walk + frames + words + extra);
    if (at == NULL)
        return false;
    struct cfi_stack *self = (struct cfi_stack *)(void *)at;
    self->walk = (struct walked *)(void *)(at += own);
    self->frames = (struct frame *)(void *)(at += walk);
    self->words = (struct word *)(void *)(at += frames);
    self->extra_slot = (uintptr_t *)(void *)(at += words);
    *self->words++ = (struct word){(uintptr_t)&self->words, 0}; /* ends cfi_is_kept */
    self->frames++->sp = UINTPTR_MAX;                           /* ends find_kept, and is no walked frame's */
    stack->cfi = self;
    start_anew(stack);
    cfi_rows_open();
    /* there is nothing to forget, and pages that nobody needs yet would be written for it; acquire: as in
     * walk */
    self->generation = __atomic_load_n(&cfi_generation, __ATOMIC_ACQUIRE);
    self->nframe = stack->nframe;
    return true;
}

/* ---- meeting the kept stack ---- */

static inline bool same_state(const struct frame *kept, const struct state *now) {
    return kept->sp == now->sp && kept->pc == now->pc && (kept->needs_bp == 0 || kept->bp == now->bp);
}

/* The newest kept frame that was there before the word was read: below the step that read it. */
static int64_t below_word(const struct cfi_stack *self, int64_t at, int64_t word) {
    while (at >= 0 && (int64_t)cfi_words_below(self, at) > word)
        at--;
    return at - 1;
}

/* Enters the words that the step to a frame read, from `word` on; compared from the last to the first.
 * Returns where the next go. */
static inline struct word *enter_words(const struct frame *frame, uintptr_t extra_slot, struct word *word) {
    if (frame->needs_bp != 0 && frame->bp_slot != 0)
        *word++ = (struct word){frame->bp_slot, frame->bp};
    if (likely(frame->from <= FROM_REALIGNED))
        *word++ = (struct word){frame->sp - 8, frame->pc};
    if (unlikely(frame->from == FROM_REALIGNED)) {
        *word++ = (struct word){extra_slot, frame->sp};
    } else if (unlikely(frame->from == FROM_SIGNAL)) {
        *word++ = (struct word){extra_slot + UCONTEXT_PC - UCONTEXT_SP, frame->pc & ~STACK_EXACT};
        *word++ = (struct word){extra_slot, frame->sp};
    }
    return word;
}

/* ---- memo of recent stacks ---- */

/* Each place decides by another word. */
static struct memo *next_place(struct cfi_stack *self, const struct memo *memo, uint64_t word) {
    uint64_t place = (uint64_t)(memo - self->memos);
    return &self->memos[(place ^ word) * 0x9E3779B97F4A7C15u >> (64 - MEMO_BITS)];
}

static uint32_t end_of(const struct memo *memo) {
    uint32_t at = 0;
    while (memo->words[at].slot != (uintptr_t)memo)
        at++;
    return at;
}

/* end: which word of `from` is that. */
static void put_memo(struct memo *to, const struct memo *from, uint32_t end) {
    to->pc = 0; /* a handler on top of this one may never come back here */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    memcpy((char *)to + sizeof to->pc, (const char *)from + sizeof from->pc, sizeof *to - sizeof to->pc);
    to->words[end].slot = (uintptr_t)to;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    to->pc = from->pc;
}

/* What was found next to `first`, because that differs in the word at `slot`, takes its place. Both have read
 * that word, since what is read next follows from what was read before; so who differs there, or earlier, is
 * found as ever. Who differs later is looked for in vain once. What a memo says does not depend on its place.
 */
static __attribute__((noinline)) void change_places(struct cfi_stack *self, struct memo *first,
                                                    const struct memo *found, uintptr_t slot) {
    uint32_t at = 0;
    while (first->words[at].slot != slot)
        at++;
    struct memo *place = next_place(self, first, first->words[at].value), moved = *found;
    uint32_t end = end_of(found);
    if (place == first)
        return;
    put_memo(place, first, end_of(first));
    put_memo(first, &moved, end);
}

uint32_t cfi_recall(struct call_stack *stack, uintptr_t pc, uintptr_t sp, uintptr_t bp, uintptr_t slot) {
    struct cfi_stack *self = stack->cfi;
    if (!cfi_is_current(self))
        return 0;
    struct memo *memo = cfi_first_place(self, pc, sp), *before = NULL;
    uintptr_t differs = 0;
    for (int more = MEMO_PLACES; slot != (uintptr_t)memo;) {
        if (slot != 0) {
            if (--more == 0)
                break;
            before = memo;
            differs = slot;
            memo = next_place(self, memo, word_at(slot));
        }
        if (!cfi_begins(memo, pc, sp) || !cfi_is_based(self, memo, bp))
            break;
        slot = cfi_changed_slot(memo);
        if (slot == (uintptr_t)memo && cfi_is_kept(stack, self, memo)) {
            uint32_t value = memo->value;
            if (before != NULL && unlikely(++self->later % MEMO_TURN == 0))
                change_places(self, before, memo, differs);
            return value;
        }
    }
    self->vacant = (uint32_t)(memo - self->memos);
    self->missed = true;
    return 0;
}

static void remember(struct call_stack *stack, uint32_t value) {
    struct cfi_stack *self = stack->cfi;
    if (self->base + 1 >= self->count || self->guessed)
        return;
    const struct frame *newest = &self->frames[self->count - 1], *base = &self->frames[self->base];
    uint32_t count = newest->words - cfi_words_below(self, self->base);
    if (count > MEMO_WORDS || newest->from != FROM_CALLER)
        return;
    struct memo *memo = &self->memos[self->vacant];
    memo->pc = 0; /* a handler on top of this one may never come back here */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    memo->sp = newest->sp;
    memo->base_prefix = stack->frames[self->base].prefix;
    memo->base_sp = base->sp;
    memo->base = base;
    memo->base_frame = &stack->frames[self->base];
    memo->value = value;
    memo->deep = self->count > stack->nframe ? (uint16_t)self->count : 0;
    memo->needs_bp = newest->needs_bp;
    memo->base_needs_bp = base->needs_bp;
    memo->bp = newest->bp;
    memo->base_bp = base->bp;
    for (uint32_t i = 0; i < count; i++)
        memo->words[i] = self->words[newest->words - 1 - i];
    memo->words[count] = (struct word){(uintptr_t)memo, 0}; /* pc is not 0 */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    memo->pc = newest->pc;
}

static void forget_memos(struct cfi_stack *self) {
    for (uint32_t i = 0; i < MEMO_COUNT; i++)
        self->memos[i].pc = 0;
}

void cfi_reset(struct call_stack *stack) {
    if (stack->cfi != &cfi_none)
        start_anew(stack);
}

/* Code was unmapped, or what a memo's value stands for is another. */
static void forget_all(struct call_stack *stack, uint32_t generation) {
    forget_memos(stack->cfi);
    cfi_rows_forget_late(&stack->cfi->rows);
    start_anew(stack);
    stack->cfi->nframe = stack->nframe;
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* a handler on top of this may never come back here */
    stack->cfi->generation = generation;
}

/* ---- a whole stack ---- */

/* Puts the walked frames on top of the `kept` oldest ones. There is room for them. */
static inline __attribute__((always_inline)) void append(struct call_stack *stack, uint32_t kept,
                                                         const struct walked *end) {
    struct cfi_stack *self = stack->cfi;
    const struct walked *first = self->walk, *walked = end;
    struct frame *frame = self->frames + kept;
    struct word *words = self->words, *word = words + frame[-1].words;
    uint8_t needs_bp = frame[-1].needs_bp;
    for (; walked-- != first; frame++) {
        const struct state *state = &walked->state;
        unsigned flags = walked->row.bp; /* CFI_BP_USED is 4, CFI_BP_PASSED_ON 8 */
        needs_bp = (uint8_t)((flags >> 2 | (flags >> 3 & needs_bp)) & 1);
        *frame = (struct frame){.pc = state->pc,
                                .sp = state->sp,
                                .bp = state->bp,
                                .bp_slot = state->bp_slot,
                                .from = state->from,
                                .needs_bp = needs_bp};
        if (unlikely(state->from != FROM_CALL))
            self->extra_slot[frame - self->frames] = state->extra_slot;
        word = enter_words(frame, state->extra_slot, word);
        frame->words = (uint32_t)(word - words);
    }
    uint32_t count = kept + (uint32_t)(end - first);
    set_count(stack, count);
    call_stack_append(stack, kept, &end[-1].state.pc, -(ptrdiff_t)(sizeof *end / sizeof end->state.pc),
                      count);
}

/* The walk has met kept frame `at` as `now`, and everything below is unchanged. */
static inline void rejoin(struct call_stack *stack, uint32_t at, const struct state *now,
                          const struct walked *end) {
    struct cfi_stack *self = stack->cfi;
    struct frame *kept = &self->frames[at];
    if (unlikely(kept->bp_slot != now->bp_slot || kept->bp != now->bp || kept->from != now->from ||
                 (now->from != FROM_CALL && self->extra_slot[at] != now->extra_slot))) {
        kept->bp_slot = now->bp_slot;
        kept->bp = now->bp;
        kept->from = now->from;
        self->extra_slot[at] = now->extra_slot;
        kept->words =
            (uint32_t)(enter_words(kept, now->extra_slot, self->words + kept[-1].words) - self->words);
    }
    self->base = at;
    append(stack, at + 1, end);
}

/* The walk has met nothing that was kept. */
static __attribute__((noinline)) void begin_with_walk(struct call_stack *stack, bool cut,
                                                      const struct walked *end) {
    if (cut && !stack->cut) /* what memos say of a whole stack is not of a cut one */
        forget_memos(stack->cfi);
    stack->cut = cut;
    append(stack, 0, end);
    stack->cfi->base = stack->cfi->count;
}

/* The walk has come to the end of the stack; `last` is what the last step made, by a guess or not. */
static void finish(struct call_stack *stack, enum step result, bool by_guess, const struct state *last,
                   const struct walked *end) {
    struct cfi_stack *self = stack->cfi;
    self->frames[-1].words = 0;
    if (result == STEPPED && last->from == FROM_CALL && last->pc == 0) {
        self->words[0] = (struct word){last->sp - 8, 0};
        self->frames[-1].words = 1;
    } else if (result == STEPPED) {
        result = ENDED_BY_MEMORY;
    }
    begin_with_walk(stack, false, end);
    if (result == ENDED_BY_MEMORY || by_guess)
        set_count(stack, 0); /* it depends on what can be read, or was led astray: do not rejoin it */
}

static void walk_by_gcc(struct call_stack *stack, const struct caller *caller) {
    set_count(stack, 0);
    stack->cfi->base = 0;
    unwinder_gcc.walk(stack, caller);
}

/* Whether a stack of so many frames may be one of kept frames and walked ones on top. */
static inline bool may_rejoin(const struct call_stack *stack, uint32_t count) {
    return count <= stack->capacity && (likely(!stack->cut) || count >= stack->nframe);
}

/* Tries to end the walk at kept frame `at`, which has the state of `now`. If it cannot, `at` becomes the next
 * kept frame that could be met. */
static inline bool try_to_rejoin(struct call_stack *stack, const struct frame **kept, const struct state *now,
                                 const struct walked *end) {
    struct cfi_stack *self = stack->cfi;
    int64_t at = *kept - self->frames;
    uint32_t count = (uint32_t)(at + 1 + (end - self->walk));
    if (unlikely(!may_rejoin(stack, count))) {
        *kept = &self->frames[-1];
        return false;
    }
    int64_t low = cfi_first_word(stack, count), last = cfi_words_below(self, at);
    int64_t word = last > low ? cfi_changed_word(self->words, low, last) : low - 1;
    if (likely(word < low)) {
        rejoin(stack, (uint32_t)at, now, end);
        return true;
    }
    *kept = &self->frames[below_word(self, at, word)];
    return false;
}

/* From where walk[0] has been set to. */
static void walk_on(struct call_stack *stack, const struct caller *caller) {
    struct cfi_stack *self = stack->cfi;
    const struct frame *kept = self->frames + self->count - 1;
    struct walked *at = self->walk, *limit = at + walk_limit(stack);
    enum step result;
    bool guessed = false;
    for (;; at++) {
        /* Along one stack rsp falls from old to new, so frames that lie below are passed by. */
        while (kept->sp < at->state.sp)
            kept--;
        if (unlikely(same_state(kept, &at->state)) && try_to_rejoin(stack, &kept, &at->state, at))
            break;
        struct cfi_row row = cfi_rows_find_late(&self->rows, at->state.pc);
        if (unlikely(at == limit) && row.kind != CFI_NO_CODE) {
            self->frames[-1].words = 0;
            begin_with_walk(stack, true, at);
            break;
        }
        at->row = row;
        result = step(&self->memory, row, at->state.sp, at->state.bp, &at[1].state);
        if (unlikely(row.kind >= CFI_SIGNAL)) {
            guessed |= row.kind == CFI_GUESS;
            if (row.kind == CFI_SIGNAL) /* onto another stack, perhaps */
                kept = self->frames + self->count - 1;
        }
        if (likely(result == STEPPED))
            continue;
        if (result == NEEDS_MORE)
            walk_by_gcc(stack, caller);
        else if (result == NO_FRAME)
            finish(stack, STEPPED, at != self->walk && at[-1].row.kind == CFI_GUESS, &at->state, at);
        else
            finish(stack, result, row.kind == CFI_GUESS, &at[1].state, at + 1);
        break;
    }
    self->guessed = guessed;
}

static void walk(struct call_stack *stack, const struct caller *caller) {
    if (unlikely(stack->cfi == &cfi_none) && !make(stack)) {
        unwinder_gcc.walk(stack, caller);
        return;
    }
    uint32_t generation = __atomic_load_n(&cfi_generation, __ATOMIC_ACQUIRE); /* partner: forget */
    if (unlikely(stack->cfi->generation != generation || stack->cfi->nframe != stack->nframe))
        forget_all(stack, generation);
    struct cfi_stack *self = stack->cfi;
    struct state *start = &self->walk[0].state;
    start->pc = caller->pc;
    start->sp = caller_sp(caller);
    start->bp = caller->bp;
    while (unlikely(unwind_is_own((uintptr_t)start->pc))) { /* one hook called another */
        if (step(&self->memory, cfi_rows_find(start->pc), start->sp, start->bp, &self->walk[1].state) !=
            STEPPED)
            break;
        *start = self->walk[1].state;
        self->missed = false;
    }
    start->bp_slot = 0;
    start->from = FROM_CALLER;
    stack->known = 0;
    if (!self->missed)
        stack->known = cfi_recall(stack, (uintptr_t)start->pc, start->sp, start->bp, 0);
    self->missed = false;
    if (stack->known == 0)
        walk_on(stack, caller);
}

static void forget(void) {
    cfi_rows_forget();
    __atomic_fetch_add(&cfi_generation, 1, __ATOMIC_RELEASE);
}

const struct unwinder unwinder_cfi = {"cfi", NULL, walk, remember, forget};

#else

void cfi_reset(struct call_stack *stack) {
    (void)stack;
}

#endif
