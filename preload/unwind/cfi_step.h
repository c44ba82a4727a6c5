/* cfi_step.h - one step from a frame to its caller, by the row of its code. For cfi.c alone: inline, since
 * it is walked for each frame.
 *
 * Memory is read only where it is known to be readable: a thread's stack is asked for once (sys_peek), and
 * the known extent remembered. So wrong CFI ends a stack early, and does no harm.
 *
 * Threads: each its own known_memory.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_CFI_STEP_H
#define HEAPTALLY_CFI_STEP_H

#include "cfi_row.h"

#include "../platform/sys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* A frame's state, and where its parts were read by the step that led to it. */
struct frame {
    uintptr_t pc, sp, bp;
    uintptr_t bp_slot;  /* 0: that step kept rbp */
    struct cfi_row row; /* how to step out of this frame */
    uint32_t words;     /* in cfi_stack.words up to and with this frame's */
    uint8_t from;       /* enum from */
    bool needs_bp;      /* this step or an older one uses rbp as it is in this state */
};

/* Which words besides a saved rbp gave a frame's state. */
enum from {
    FROM_CALL,      /* the return address at sp - 8 */
    FROM_REALIGNED, /* that, and the CFA at rbp + n, where rbp is the newer frame's: kept in extra_slot */
    FROM_SIGNAL,    /* a ucontext's pc and rsp: pc was interrupted, it is no return address */
    FROM_CALLER,    /* registers alone: the newest frame */
};

/* [low, high): known readable, the stack that this thread was last seen on. */
struct known_memory {
    uintptr_t low, high;
};

#define PAGE ((uintptr_t)4096)

static __attribute__((noinline)) bool probe(struct known_memory *memory, uintptr_t address) {
    uint64_t word;
    if (!sys_peek((const void *)address, &word, sizeof word))
        return false;
    uintptr_t page = address & ~(PAGE - 1);
    if (page == memory->high) {
        memory->high += PAGE;
    } else if (page + PAGE == memory->low) {
        memory->low = page;
    } else {
        memory->low = page;
        memory->high = page + PAGE;
    }
    return true;
}

/* Whether the word at the address can be read; aligned, so it does not cross pages. */
static inline bool readable(struct known_memory *memory, uintptr_t address) {
    return (address & 7) == 0 &&
           (likely(address - memory->low < memory->high - memory->low) || probe(memory, address));
}

static inline uintptr_t word_at(uintptr_t address) {
    return *(const uintptr_t *)address;
}

/* ---- one step ---- */

enum step { STEPPED, ENDED, ENDED_BY_MEMORY, NEEDS_MORE };

/* ucontext_t: 40 bytes to the general registers, r8 first (sys/ucontext.h). */
#define UCONTEXT_BP (40 + 10 * sizeof(uintptr_t))
#define UCONTEXT_SP (40 + 15 * sizeof(uintptr_t))
#define UCONTEXT_PC (40 + 16 * sizeof(uintptr_t))

static __attribute__((noinline)) enum step step_signal(struct known_memory *memory, const struct frame *from,
                                                       struct frame *to, uintptr_t *extra_slot) {
    uintptr_t context = from->sp;
    if (!readable(memory, context + UCONTEXT_BP) || !readable(memory, context + UCONTEXT_PC))
        return ENDED_BY_MEMORY;
    to->bp_slot = context + UCONTEXT_BP;
    to->bp = word_at(to->bp_slot);
    *extra_slot = context + UCONTEXT_SP;
    to->sp = word_at(*extra_slot);
    to->pc = word_at(context + UCONTEXT_PC);
    to->from = FROM_SIGNAL;
    return STEPPED;
}

/* Frames are below 1 GiB; a CFA at or below rsp, or far above, is nonsense. */
static inline bool plausible(uintptr_t cfa, uintptr_t sp) {
    return cfa - sp - 8 < (uintptr_t)1 << 30;
}

/* Fills in `to` but for its row, and *extra_slot where to->from says so; from->row is set. */
static inline __attribute__((always_inline)) enum step
step(struct known_memory *memory, const struct frame *from, struct frame *to, uintptr_t *extra_slot) {
    const struct cfi_row row = from->row;
    uintptr_t cfa = (row.kind == CFI_FROM_SP ? from->sp : from->bp) + (uintptr_t)(intptr_t)row.cfa_offset;
    to->from = FROM_CALL;
    if (unlikely(row.kind > CFI_FROM_BP)) {
        if (row.kind == CFI_SIGNAL)
            return step_signal(memory, from, to, extra_slot);
        if (row.kind == CFI_END || row.kind == CFI_OTHER)
            return row.kind == CFI_END ? ENDED : NEEDS_MORE;
        if (row.kind == CFI_FROM_SAVED) {
            if (!readable(memory, cfa))
                return ENDED_BY_MEMORY;
            to->from = FROM_REALIGNED;
            *extra_slot = cfa;
            cfa = word_at(cfa);
        }
    }
    if (unlikely(!plausible(cfa, from->sp)) || unlikely(!readable(memory, cfa - 8)))
        return ENDED_BY_MEMORY;
    to->bp = from->bp;
    to->bp_slot = 0;
    if (row.bp != CFI_BP_KEPT) {
        to->bp_slot = (row.bp == CFI_BP_CFA ? cfa : from->bp) + (uintptr_t)(intptr_t)row.bp_offset;
        if (unlikely(!readable(memory, to->bp_slot)))
            return ENDED_BY_MEMORY;
        to->bp = word_at(to->bp_slot);
    }
    to->pc = word_at(cfa - 8);
    to->sp = cfa;
    return STEPPED;
}

/* The byte whose row counts: the call before a return address, or the interrupted instruction. */
static inline uintptr_t row_address(const struct frame *frame) {
    return frame->pc - (frame->from != FROM_SIGNAL);
}

#endif
