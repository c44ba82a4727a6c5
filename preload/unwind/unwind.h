/* unwind.h - call stacks of the calling thread: one record of functions per way to get them.
 *
 * A `struct call_stack` is a thread's last stack, outermost frame first, and what its back-end remembers
 * of it. Each walk replaces it and says how much of it has stayed. Frames of this library are left out:
 * the newest is the program's call into an interposed function. Unwinders know no table.
 *
 * Threads: each its own call_stack.  Signals: as the back-end says.  Heap: the back-end must not call an
 * interposed function, or must bear that its calls are not traced (the caller's guard is closed).
 * errno: kept by unwind_*; a back-end may change it. */
#ifndef HEAPTALLY_UNWIND_H
#define HEAPTALLY_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

/* The registers of whoever called an interposed function, as they are once it has returned. */
struct caller {
    uintptr_t pc, sp, bp;
};

/* In an interposed function itself. The frame pointer's saved value and the return address lie at it (both
 * ABIs); on aarch64 only pc is used. */
#define CALLER_HERE                                                                                          \
    ((struct caller){((uintptr_t *)__builtin_frame_address(0))[1],                                           \
                     (uintptr_t)__builtin_frame_address(0) + 16,                                             \
                     ((uintptr_t *)__builtin_frame_address(0))[0]})

struct cfi_stack;

struct call_stack {
    uintptr_t *pcs; /* outermost first */
    uint32_t count;
    uint32_t shared;    /* of the outermost frames, how many are as they were before the last walk */
    uint32_t known;     /* 0, or what unwind_remember gave this very stack: pcs and shared are then not set */
    bool stale;         /* what the back-end remembers of the last walk must not be used */
    uintptr_t *scratch; /* newest first, for back-ends that work so */
    struct cfi_stack *cfi;
};

/* Frames that a walk delivers at most; of deeper stacks the newest. */
#define UNWIND_MAX 65535u

struct unwinder {
    const char *name;
    /* Makes it ready; where the loader may be called. False: it cannot be used here. */
    bool (*open)(void);
    void (*walk)(struct call_stack *stack, const struct caller *caller);
    /* As walk, without what it remembers of code: right also where a library took another's place. */
    void (*walk_afresh)(struct call_stack *stack, const struct caller *caller);
    /* Notes a value for the stack of the last walk; may do nothing. */
    void (*remember)(struct call_stack *stack, uint32_t value);
    /* Code has been unmapped: drops what is remembered of it. */
    void (*forget)(void);
};

extern const struct unwinder unwinder_cfi, unwinder_libunwind, unwinder_gcc; /* cfi: x86-64 only */

/* Chooses by options.unwinder; until then cfi, or gcc on other machines. Only where the loader may be
 * called: the constructor. */
void unwind_choose(void);

const char *unwind_name(void);

/* Prepares an empty stack. False: no memory. */
bool unwind_open(struct call_stack *stack);

/* Forgets the last walk: it was abandoned halfway, or was another thread's. */
void unwind_reset(struct call_stack *stack);

/* Makes `stack` that of the caller. afresh: see walk_afresh. */
void unwind_walk(struct call_stack *stack, const struct caller *caller, bool afresh);

/* What `known` is to be when a walk finds this stack again. Not 0; holds until unwind_forget. */
void unwind_remember(struct call_stack *stack, uint32_t value);

void unwind_forget(void);

/* In a forked child, before its first walk. */
void unwind_after_fork(void);

/* -- for back-ends -- */

/* Whether a PC is of this library. */
bool unwind_is_own(uintptr_t pc);

/* Takes over scratch[0..count), newest first. */
void unwind_adopt(struct call_stack *stack, uint32_t count);

#endif
