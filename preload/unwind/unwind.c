/* unwind.c - see unwind.h.
 * Owns:    which back-end is in use.
 * Threads: any.  Signals: as the back-end.  Heap: never of its own. */
#include "unwind.h"

#include "../platform/options.h"

#include <errno.h>
#include <string.h>

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
    if (unwinder->open())
        __atomic_store_n(&current, unwinder, __ATOMIC_RELEASE);
}

const char *unwind_name(void) {
    return in_use()->name;
}

static bool is_own(uintptr_t pc) {
    return pc - (uintptr_t)own_start < (uintptr_t)own_end - (uintptr_t)own_start;
}

uint32_t unwind_stack(uintptr_t *pcs, uint32_t capacity, bool afresh) {
    const struct unwinder *unwinder = in_use();
    int saved = errno;
    uint32_t count = afresh ? unwinder->unwind_afresh(pcs, capacity) : unwinder->unwind(pcs, capacity);
    errno = saved;
    count = (int32_t)count > 0 ? count : 0;
    uint32_t own = 0;
    while (own < count && is_own(pcs[own]))
        own++;
    while (count > own && pcs[count - 1] == 0) /* some ends of stack have a return address of 0 */
        count--;
    memmove(pcs, pcs + own, (count - own) * sizeof *pcs);
    return count - own;
}

void unwind_forget(void) {
    int saved = errno;
    in_use()->forget();
    errno = saved;
}
