/* frame_pointer.c - back-end: the chain of saved frame pointers.
 *
 * Right only where everything on the stack keeps rbp (x29) as a frame pointer, as code compiled with
 * -fno-omit-frame-pointer does: other frames are left out, or end the stack early. Memory is read only where
 * it is known to be readable, and the chain must rise.
 *
 * Threads: any.  Signals: safe.  Heap: never. */
#include "unwind.h"

#include <stddef.h>

#include "../platform/sys.h"

/* A frame of more than this is taken for the end of a chain that has lost its way. */
#define FRAME_BYTES_MAX ((uintptr_t)64 << 20)

#define PAGE            ((uintptr_t)4096)

/* Whether a link, two words, can be read. *page: the last one that was found readable on this walk; on the
 * next, what is there may be gone, if it is not the stack at all. */
static bool is_readable(uintptr_t link, uintptr_t *page) {
    uintptr_t last = (link + 2 * sizeof link - 1) & ~(PAGE - 1);
    if ((link & 7) != 0)
        return false;
    if (last == *page && (link & ~(PAGE - 1)) == *page)
        return true;
    *page = last;
    return sys_readable((const void *)link) && sys_readable((const void *)(link + sizeof link));
}

static void walk(struct call_stack *stack, const struct caller *caller) {
    uintptr_t pc = unwind_unsigned(caller->pc), bp = caller->bp, low = (uintptr_t)caller,
              page = low & ~(PAGE - 1);
    uint32_t count = 0;
    while (pc != 0 && count < stack->capacity) {
        stack->scratch[count++] = pc;
        if (bp - low - 1 >= FRAME_BYTES_MAX || !is_readable(bp, &page))
            break;
        low = bp;
        pc = unwind_unsigned(((const uintptr_t *)bp)[1]);
        bp = ((const uintptr_t *)bp)[0];
    }
    unwind_adopt(stack, count);
}

const struct unwinder unwinder_frame_pointer = {"fp", NULL, walk, NULL, NULL};
