/* unwind.c - see unwind.h.
 * Owns:    which back-end is in use.
 * Threads: any.  Signals: as the back-end.  Heap: never of its own. */
#define _GNU_SOURCE
#include "unwind.h"

#include "cfi.h"
#include "cfi_rows.h"

#include "../platform/options.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

/* This library's own extent, from the linker. */
extern const char own_start[] __asm__("__ehdr_start") __attribute__((visibility("hidden")));
extern const char own_end[] __asm__("etext") __attribute__((visibility("hidden")));

#if defined(__x86_64__)
static const struct unwinder *current = &unwinder_cfi; /* (atomic) */
#else
static const struct unwinder *current = &unwinder_gcc;
#endif

static const struct unwinder *in_use(void) {
    return __atomic_load_n(&current, __ATOMIC_ACQUIRE); /* partner: unwind_choose */
}

static const struct unwinder *chosen(void) {
    switch (options.unwinder) {
    case UNWINDER_LIBUNWIND: return &unwinder_libunwind;
    case UNWINDER_GCC: return &unwinder_gcc;
    case UNWINDER_FRAME_POINTER: return &unwinder_frame_pointer;
    case UNWINDER_DEFAULT: break;
    }
#if defined(__x86_64__)
    return &unwinder_cfi;
#else
    return &unwinder_libunwind;
#endif
}

void unwind_choose(void) {
    const struct unwinder *unwinder = chosen();
    if (unwinder->open != NULL && !unwinder->open())
        return;
    unwind_forget(); /* what it remembers of stacks is not the next one's */
    __atomic_store_n(&current, unwinder, __ATOMIC_RELEASE);
}

const char *unwind_name(void) {
    return in_use()->name;
}

void unwind_reset(struct call_stack *stack) {
    stack->count = 0;
    stack->known = 0;
    cfi_reset(stack);
}

void unwind_fall_back(void) {
    __atomic_store_n(&current, &unwinder_gcc, __ATOMIC_RELEASE); /* partner: in_use */
}

/* libunwind asks the loader, whose lock another thread of the parent may have held at the fork: in the
 * child nobody will give it back. */
void unwind_after_fork(void) {
    if (in_use() == &unwinder_libunwind)
        unwind_fall_back();
}

bool unwind_is_guess(uint64_t coded_pc) {
#if defined(__x86_64__)
    return cfi_rows_find(coded_pc).kind == CFI_GUESS;
#else
    (void)coded_pc;
    return false;
#endif
}

bool unwind_is_own(uintptr_t pc) {
    return pc - (uintptr_t)own_start < (uintptr_t)own_end - (uintptr_t)own_start;
}

static uintptr_t library_start, library_end; /* set before there are threads */

void unwind_note_library(const void *address) {
    struct dl_find_object object;
    if (_dl_find_object((void *)(uintptr_t)address, &object) != 0)
        return;
    library_start = (uintptr_t)object.dlfo_map_start;
    library_end = (uintptr_t)object.dlfo_map_end;
}

bool unwind_is_of_library(uintptr_t pc) {
    return pc - library_start < library_end - library_start;
}

void unwind_adopt(struct call_stack *stack, uint32_t count) {
    uint32_t own = 0, found = count;
    while (own < count && unwind_is_own(stack->scratch[own]))
        own++;
    while (count > own && stack->scratch[count - 1] == 0) /* some ends of stack have a return address of 0 */
        count--;
    for (uint32_t i = own; i < count; i++)
        stack->scratch[i] = unwind_whole(stack->scratch[i]);
    call_stack_set(stack, stack->scratch + own, count - own);
    stack->cut = found == stack->capacity;
}

void unwind_walk(struct call_stack *stack, const struct caller *caller) {
    int saved = errno;
    in_use()->walk(stack, caller);
    errno = saved;
}

void unwind_remember(struct call_stack *stack, uint32_t value) {
    const struct unwinder *unwinder = in_use();
    if (unwinder->remember != NULL)
        unwinder->remember(stack, value);
}

void unwind_forget(void) {
    const struct unwinder *unwinder = in_use();
    int saved = errno;
    if (unwinder->forget != NULL)
        unwinder->forget();
    errno = saved;
}
