/* unwind.h - call stacks of the calling thread: one record of functions per way to get them.
 *
 * A `struct call_stack` is a thread's last stack and what its back-end remembers of it; each walk replaces
 * it. Frames of this library are left out: the newest is the program's call into an interposed function.
 * Unwinders know no table.
 *
 * Threads: each its own call_stack.  Signals: as the back-end says.  Heap: the back-end must not call an
 * interposed function, or must bear that its calls are not traced (the caller's guard is closed).
 * errno: kept by unwind_*; a back-end may change it. */
#ifndef HEAPTALLY_UNWIND_H
#define HEAPTALLY_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

#include "call_stack.h"

/* Where an interposed function was called from: the two words that lie at its frame pointer (both ABIs), the
 * caller's frame pointer and the return address. On x86-64 the caller's stack pointer, once the function has
 * returned, is what follows them. */
struct caller {
    uintptr_t bp, pc;
};

/* In an interposed function itself. */
#define CALLER_HERE ((const struct caller *)__builtin_frame_address(0))

static inline uintptr_t caller_sp(const struct caller *caller) {
    return (uintptr_t)(caller + 1);
}

/* A return address as it lies in a frame, without its signature (-mbranch-protection, Armv8.3 pointer
 * authentication). XPACLRI is among the hints, which older processors take for nothing. */
static inline uintptr_t unwind_unsigned(uintptr_t pc) {
#if defined(__aarch64__)
    register uintptr_t x30 __asm__("x30") = pc;
    __asm__("hint 7" : "+r"(x30));
    return x30;
#else
    return pc;
#endif
}

/* All but walk may be null: there is nothing to do. */
struct unwinder {
    const char *name;
    /* Makes it ready; where the loader may be called. False: it cannot be used here. */
    bool (*open)(void);
    void (*walk)(struct call_stack *stack, const struct caller *caller);
    /* Notes a value for the stack of the last walk; may do nothing. */
    void (*remember)(struct call_stack *stack, uint32_t value);
    /* Code has been unmapped: drops what is remembered of it. */
    void (*forget)(void);
};

extern const struct unwinder unwinder_cfi; /* x86-64 only */
extern const struct unwinder unwinder_libunwind, unwinder_gcc, unwinder_frame_pointer;

/* Chooses by options.unwinder; until then cfi, or gcc on other machines. Only where the loader may be
 * called: the constructor. */
void unwind_choose(void);

const char *unwind_name(void);

/* Forgets the last walk: it was abandoned halfway, or was another thread's. */
void unwind_reset(struct call_stack *stack);

/* Makes `stack` that of the caller, or sets `known` alone. */
void unwind_walk(struct call_stack *stack, const struct caller *caller);

/* What `known` is to be when a walk finds this stack again. Not 0; holds until unwind_forget. */
void unwind_remember(struct call_stack *stack, uint32_t value);

void unwind_forget(void);

/* In a forked child, before its first walk. */
void unwind_after_fork(void);

/* From now on by the back-end gcc. */
void unwind_fall_back(void);

/* Whether there is no call frame information of the code that returns to a coded PC: any unwinder guesses
 * from there on. */
bool unwind_is_guess(uint64_t coded_pc);

/* Whether a PC is of a back-end's own library (libunwind). */
bool unwind_is_of_library(uintptr_t pc);

/* -- for back-ends -- */

/* Whether a PC is of this library. */
bool unwind_is_own(uintptr_t pc);

/* A back-end's own library, told by an address in it. */
void unwind_note_library(const void *address);

/* libunwind 1.6.2 delivers return addresses on aarch64 one byte short. */
static inline uintptr_t unwind_whole(uintptr_t pc) {
#if defined(__aarch64__)
    pc = (pc + 3) & ~(uintptr_t)3;
#endif
    return pc;
}

/* Takes over scratch[0..count), newest first. */
void unwind_adopt(struct call_stack *stack, uint32_t count);

/* Makes `stack` that of the caller by libunwind's unw_step, asked anew of everything: the reference for
 * others. After unwinder_libunwind.open. */
void unwind_by_steps(struct call_stack *stack);

#endif
