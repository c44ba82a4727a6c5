/* cfi.c - back-end: steps by rows of call frame information (cfi_row.h), each read once and cached.
 *
 * Exact where compilers describe their code: a step needs the CFA, which is rsp or rbp plus a constant or
 * one load, the return address at CFA - 8, and rbp where it was saved. A frame that needs more (a few
 * hand-written functions of the loader and of libcrypto) sends the whole stack to the back-end gcc. Code
 * without call frame information, as JITs make it, is taken for frame-pointer code and checked.
 *
 * Look-ups are for the byte before a return address, which is the call's; but for the instruction that a
 * signal interrupted, which is at the address itself.
 *
 * Cache: two words an entry, row and address ^ row, so that a torn pair belongs to no address and readers
 * need no lock. Dropped when code is unmapped.
 *
 * Memory is read only where it is known to be readable: a thread's stack is asked for once (sys_peek),
 * and the known extent remembered. So wrong CFI ends a stack early, and does no harm.
 *
 * Threads: any, lock-free.  Signals: safe.  Heap: never.  Loader's lock: never. */
#include "unwind.h"

#include "cfi_row.h"

#include "../platform/sys.h"

#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* ---- row cache ---- */

#define CACHE_BITS 15

static struct {
    uint64_t key; /* address ^ row; relaxed, as both: see above */
    uint64_t row;
} cache[1u << CACHE_BITS];

static __attribute__((noinline)) uint64_t fill(uintptr_t pc, size_t at) {
    struct cfi_row row = cfi_row_at(pc);
    uint64_t word;
    memcpy(&word, &row, sizeof word);
    if (cache[at].row != 0 && (cache[at ^ 1].row == 0 || (pc >> 4 & 1) != 0))
        at ^= 1;
    __atomic_store_n(&cache[at].key, pc ^ word, __ATOMIC_RELAXED);
    __atomic_store_n(&cache[at].row, word, __ATOMIC_RELAXED);
    return word;
}

static inline struct cfi_row look_up(uintptr_t pc) {
    size_t at = (pc * 0x9E3779B97F4A7C15u) >> (64 - CACHE_BITS);
    uint64_t word = __atomic_load_n(&cache[at].row, __ATOMIC_RELAXED);
    if (unlikely((__atomic_load_n(&cache[at].key, __ATOMIC_RELAXED) ^ word) != pc)) {
        word = __atomic_load_n(&cache[at ^ 1].row, __ATOMIC_RELAXED);
        if ((__atomic_load_n(&cache[at ^ 1].key, __ATOMIC_RELAXED) ^ word) != pc || word == 0)
            word = fill(pc, at);
    }
    struct cfi_row row;
    memcpy(&row, &word, sizeof row);
    return row;
}

static void forget(void) {
    memset(cache, 0, sizeof cache);
}

/* ---- what can be read ---- */

#define PAGE ((uintptr_t)4096)

/* [low, high): known readable, the stack that this thread was last seen on. */
static __thread uintptr_t low, high;

static __attribute__((noinline)) bool probe(uintptr_t address) {
    uint64_t word;
    if (!sys_peek((const void *)address, &word, sizeof word))
        return false;
    uintptr_t page = address & ~(PAGE - 1);
    if (page == high)
        high += PAGE;
    else if (page + PAGE == low)
        low = page;
    else {
        low = page;
        high = page + PAGE;
    }
    return true;
}

/* Whether the word at the address can be read; words are aligned, so they do not cross pages. */
static inline bool readable(uintptr_t address) {
    return likely(address - low < high - low && (address & 7) == 0) || ((address & 7) == 0 && probe(address));
}

static inline uintptr_t word_at(uintptr_t address) {
    return *(const uintptr_t *)address;
}

/* ---- steps ---- */

struct registers {
    uintptr_t pc, sp, bp;
    bool exact; /* pc is an interrupted instruction, not a return address */
};

enum step { STEPPED, ENDED, NEEDS_MORE };

/* ucontext_t: 40 bytes to the general registers, r8 first (sys/ucontext.h). */
static enum step step_signal(struct registers *at) {
    uintptr_t general = at->sp + 40;
    if (!readable(general) || !readable(general + 16 * sizeof(uintptr_t)))
        return ENDED;
    at->bp = word_at(general + 10 * sizeof(uintptr_t));
    at->sp = word_at(general + 15 * sizeof(uintptr_t));
    at->pc = word_at(general + 16 * sizeof(uintptr_t));
    at->exact = true;
    return STEPPED;
}

/* Frames are below 1 GiB; a CFA at or below rsp, or far above, is nonsense. */
static inline bool plausible(uintptr_t cfa, uintptr_t sp) {
    return cfa - sp - 8 < (uintptr_t)1 << 30;
}

static inline enum step step(struct registers *at) {
    struct cfi_row row = look_up(at->pc - (at->exact ? 0 : 1));
    uintptr_t cfa;
    switch (row.kind) {
    case CFI_FROM_SP: cfa = at->sp + (uintptr_t)(intptr_t)row.cfa_offset; break;
    case CFI_GUESS:
    case CFI_FROM_BP: cfa = at->bp + (uintptr_t)(intptr_t)row.cfa_offset; break;
    case CFI_FROM_SAVED:
        if (!readable(at->bp + (uintptr_t)(intptr_t)row.cfa_offset))
            return ENDED;
        cfa = word_at(at->bp + (uintptr_t)(intptr_t)row.cfa_offset);
        break;
    case CFI_SIGNAL: return step_signal(at);
    case CFI_END: return ENDED;
    default: return NEEDS_MORE;
    }
    if (unlikely(!plausible(cfa, at->sp)) || unlikely(!readable(cfa - 8)))
        return ENDED;
    if (row.bp != CFI_BP_KEPT) {
        uintptr_t saved = (row.bp == CFI_BP_CFA ? cfa : at->bp) + (uintptr_t)(intptr_t)row.bp_offset;
        if (unlikely(!readable(saved)))
            return ENDED;
        at->bp = word_at(saved);
    }
    at->pc = word_at(cfa - 8);
    at->sp = cfa;
    at->exact = false;
    return STEPPED;
}

/* Starts at this very function, which keeps a frame pointer. */
static __attribute__((noinline)) uint32_t unwind(uintptr_t *pcs, uint32_t capacity) {
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    struct registers at = {word_at(frame + 8), frame + 16, word_at(frame), false};
    uint32_t count = 0;
    while (count < capacity && at.pc != 0) {
        pcs[count++] = at.pc;
        enum step result = step(&at);
        if (likely(result == STEPPED))
            continue;
        return result == ENDED ? count : unwinder_gcc.unwind(pcs, capacity);
    }
    return count;
}

static bool open_always(void) {
    return true;
}

const struct unwinder unwinder_cfi = {"cfi", open_always, unwind, unwind, forget};

#endif
