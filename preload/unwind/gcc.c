/* gcc.c - back-end: libgcc's unwinder, linked statically and hidden, so that the program keeps its own.
 *
 * Finds frame descriptions by _dl_find_object (gcc >= 12 with glibc >= 2.35): no lock, no allocation.
 * About 100 ns a frame. Ready before any constructor has run.
 * Threads: any.  Signals: safe.  Heap: never. */
#define _GNU_SOURCE /* where libunwind's <unwind.h> comes first, it declares _Unwind_Backtrace only so */
#include "unwind.h"

#include <stddef.h>

#include <unwind.h>

struct collector {
    uintptr_t *pcs;
    uint32_t count, capacity;
};

static _Unwind_Reason_Code collect(struct _Unwind_Context *context, void *argument) {
    struct collector *to = argument;
    if (to->count == to->capacity)
        return _URC_END_OF_STACK;
    to->pcs[to->count++] = (uintptr_t)_Unwind_GetIP(context);
    return _URC_NO_REASON;
}

static void walk(struct call_stack *stack, const struct caller *caller) {
    struct collector to = {stack->scratch, 0, stack->capacity};
    (void)caller; /* it starts here, and our own frames are cut off */
    _Unwind_Backtrace(collect, &to);
    unwind_adopt(stack, to.count);
}

const struct unwinder unwinder_gcc = {"gcc", NULL, walk, NULL, NULL};
