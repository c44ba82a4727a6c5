/* cfi_step.h - one step from a frame to its caller, by the row of its code. For cfi.c alone: inline, since
 * it is walked for each frame.
 *
 * Memory is read only where it is known to be readable (known_memory.h).
 *
 * Threads: each its own known_memory.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_CFI_STEP_H
#define HEAPTALLY_CFI_STEP_H

#include "call_stack.h"
#include "cfi_row.h"

#include "known_memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* A kept frame: its state, and where its parts were read by the step that led to it. */
struct frame {
    uint64_t pc; /* coded (stack_hash.h): STACK_EXACT is set if from FROM_SIGNAL */
    uintptr_t sp, bp;
    uintptr_t bp_slot; /* 0: that step kept rbp */
    uint32_t words;    /* in cfi_stack.words up to and with this frame's */
    uint8_t from;      /* enum from */
    uint8_t needs_bp;  /* 1: the step out of it, or an older one, uses rbp as it is in this state */
};

/* Which words besides a saved rbp gave a frame's state. */
enum from {
    FROM_CALL,      /* the return address at sp - 8 */
    FROM_REALIGNED, /* that, and the CFA at rbp + n, where rbp is the newer frame's: kept in extra_slot */
    FROM_SIGNAL,    /* a ucontext's pc and rsp: pc was interrupted, it is no return address */
    FROM_CALLER,    /* registers alone: the newest frame */
};

static inline uintptr_t word_at(uintptr_t address) {
    return *(const uintptr_t *)address;
}

/* ---- one step ---- */

enum step { STEPPED, ENDED, ENDED_BY_MEMORY, NEEDS_MORE, NO_FRAME };

/* ucontext_t: 40 bytes to the general registers, r8 first (sys/ucontext.h). */
#define UCONTEXT_BP (40 + 10 * sizeof(uintptr_t))
#define UCONTEXT_SP (40 + 15 * sizeof(uintptr_t))
#define UCONTEXT_PC (40 + 16 * sizeof(uintptr_t))

/* What a step makes, and the next one goes by. */
struct state {
    uint64_t pc; /* coded */
    uintptr_t sp, bp;
    uintptr_t bp_slot;    /* as in struct frame */
    uintptr_t extra_slot; /* by FROM_REALIGNED the CFA's, by FROM_SIGNAL rsp's; else unset */
    uint8_t from;         /* enum from */
};

/* A frame on a walk. */
struct walked {
    struct state state;
    struct cfi_row row; /* how to step out of it */
};

/* Frames are below 1 GiB: what is further away is nonsense, if it is not on the stack that is known. */
static inline bool plausible(uintptr_t cfa, uintptr_t sp, unsigned bits) {
    return cfa - sp - 8 < (uintptr_t)1 << bits;
}

static inline enum step step_signal(struct known_memory *memory, uintptr_t context, struct state *next) {
    if (!known_memory_readable(memory, context + UCONTEXT_BP) ||
        !known_memory_readable(memory, context + UCONTEXT_PC))
        return ENDED_BY_MEMORY;
    uintptr_t pc = word_at(context + UCONTEXT_PC);
    *next = (struct state){.pc = pc >> 48 == 0 ? pc | STACK_EXACT : UINT64_MAX, /* of no code, then */
                           .sp = word_at(context + UCONTEXT_SP),
                           .bp = word_at(context + UCONTEXT_BP),
                           .bp_slot = context + UCONTEXT_BP,
                           .extra_slot = context + UCONTEXT_SP,
                           .from = FROM_SIGNAL};
    return STEPPED;
}

/* A guess is of a register that holds anything, and its words will be read again: it must stay near. What was
 * readable once, beyond the page of the stack pointer, need not be the stack, nor still be there. */
static inline bool guess_holds(uintptr_t sp, uintptr_t cfa) {
    if (!plausible(cfa, sp, 18) || (cfa & 7) != 0)
        return false;
    uintptr_t page = sp & ~(KNOWN_MEMORY_PAGE - 1), first = cfa - 16;
    bool near = first >= page && cfa <= page + KNOWN_MEMORY_PAGE;
    return (near || (sys_readable((const void *)first) && sys_readable((const void *)(cfa - 8)))) &&
           word_at(cfa - 8) >> 48 == 0; /* else it may look coded */
}

/* A row that says more than a register plus a constant: what is special about it. STEPPED: *cfa is what the
 * rest of the step goes by. */
static inline enum step special_cfa(struct known_memory *memory, enum cfi_kind kind, uintptr_t sp,
                                    uintptr_t *cfa, struct state *next) {
    switch (kind) {
    case CFI_END: return ENDED;
    case CFI_FROM_SAVED:
        if (!known_memory_readable(memory, *cfa))
            return ENDED_BY_MEMORY;
        next->from = FROM_REALIGNED;
        next->extra_slot = *cfa;
        *cfa = word_at(*cfa);
        return STEPPED;
    case CFI_GUESS: return guess_holds(sp, *cfa) ? STEPPED : ENDED_BY_MEMORY;
    case CFI_NO_CODE: return NO_FRAME;
    default: return NEEDS_MORE;
    }
}

/* From a frame with this rsp and rbp to its caller, by the frame's row. `next` holds it after STEPPED. */
static inline __attribute__((always_inline)) enum step step(struct known_memory *memory, struct cfi_row row,
                                                            uintptr_t sp, uintptr_t bp, struct state *next) {
    uintptr_t cfa = (row.kind == CFI_FROM_SP ? sp : bp) + (uintptr_t)(intptr_t)row.cfa_offset, slot = 0;
    next->from = FROM_CALL;
    if (unlikely(row.kind > CFI_FROM_BP)) {
        if (row.kind == CFI_SIGNAL)
            return step_signal(memory, sp, next);
        enum step special = special_cfa(memory, (enum cfi_kind)row.kind, sp, &cfa, next);
        if (special != STEPPED)
            return special;
    }
    if (unlikely(cfa <= sp) || (unlikely(!known_memory_has(memory, cfa - 8)) &&
                                (!plausible(cfa, sp, 30) || !known_memory_readable(memory, cfa - 8))))
        return ENDED_BY_MEMORY;
    unsigned place = row.bp & CFI_BP_PLACE;
    if (place != CFI_BP_KEPT) {
        slot = (place == CFI_BP_CFA ? cfa : bp) + (uintptr_t)(intptr_t)row.bp_offset;
        if (unlikely(!known_memory_readable(memory, slot)))
            return ENDED_BY_MEMORY;
        bp = word_at(slot);
    }
    next->pc = word_at(cfa - 8);
    next->sp = cfa;
    next->bp = bp;
    next->bp_slot = slot;
    return STEPPED;
}

#endif
