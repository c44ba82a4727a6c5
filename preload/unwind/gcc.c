/* gcc.c - back-end: libgcc's unwinder, linked statically and hidden, so that the program keeps its own.
 *
 * Finds frame descriptions by _dl_find_object (gcc >= 12 with glibc >= 2.35): no lock, no allocation.
 * About 100 ns a frame. Ready before any constructor has run.
 * Threads: any.  Signals: safe.  Heap: never. */
#define _GNU_SOURCE /* where libunwind's <unwind.h> comes first, it declares _Unwind_Backtrace only so */
#include "unwind.h"

#include "../platform/sys.h"

#include <signal.h>
#include <stddef.h>
#include <ucontext.h>

#include <unwind.h>

struct collector {
    uintptr_t *pcs;
    uint32_t count, capacity;
};

/* The instruction that a signal interrupted, from the frame that its handler returns to: there the stack
 * pointer, which is what libgcc calls the CFA in a callback, is that of the kernel's signal frame. */
static uintptr_t interrupted_pc(struct _Unwind_Context *context) {
    uintptr_t at = (uintptr_t)_Unwind_GetCFA(context);
#if defined(__x86_64__)
    return (uintptr_t)((const ucontext_t *)at)->uc_mcontext.gregs[REG_RIP];
#else
    return (uintptr_t)((const ucontext_t *)(at + sizeof(siginfo_t)))->uc_mcontext.pc;
#endif
}

/* Of code that nobody describes libgcc reads the instructions, to know a return from a signal when it sees
 * one. A program that has jumped to nowhere has none there. */
static bool is_readable(uintptr_t pc) {
    return sys_readable((const void *)pc) && sys_readable((const void *)(pc + SIGNAL_RETURN_BYTES - 1));
}

static _Unwind_Reason_Code collect(struct _Unwind_Context *context, void *argument) {
    struct collector *to = argument;
    uintptr_t pc = (uintptr_t)_Unwind_GetIP(context);
    if (to->count == to->capacity)
        return _URC_END_OF_STACK;
    to->pcs[to->count++] = pc;
    /* the last PC may be anything: it is compared, not looked at */
    if (pc != 0 && pc == __atomic_load_n(&call_stack_signal_return, __ATOMIC_RELAXED) &&
        !is_readable(interrupted_pc(context)))
        return _URC_END_OF_STACK;
    return _URC_NO_REASON;
}

static void walk(struct call_stack *stack, const struct caller *caller) {
    struct collector to = {stack->scratch, 0, stack->capacity};
    (void)caller; /* it starts here, and our own frames are cut off */
    _Unwind_Backtrace(collect, &to);
    unwind_adopt(stack, to.count);
}

const struct unwinder unwinder_gcc = {"gcc", NULL, walk, NULL, NULL};
