/* libunwind.c - back-end: libunwind's unw_backtrace, 7 ns a frame once it is warm.
 *
 * Opened at run time in a scope of its own, for two reasons: Debian's static archive is not
 * position-independent, and as a dependency of a preloaded library libunwind.so would lay its _Unwind_*
 * over the program's libgcc_s.
 *
 * unw_backtrace (1.6.2) remembers per thread how to step out of a PC and never forgets it, so where a
 * library took the place of another it is wrong; unw_step asks anew after a flush. It finds modules by
 * dl_iterate_phdr, which takes the loader's lock. Its caches are per thread (UNW_CACHE_PER_THREAD), so no
 * lock of its own is held meanwhile.
 *
 * Threads: any.  Signals: unw_step blocks them for a moment.  Heap: none seen (mmap).  errno: may change. */
#include "unwind.h"

#include "cfi_row.h"

#include <dlfcn.h>
#include <stddef.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#define NAME_(symbol) #symbol
#define NAME(symbol)  NAME_(symbol) /* expands libunwind's renaming macros first */

static int (*backtrace_)(void **, int);
static int (*getcontext_)(unw_context_t *);
static int (*init_local_)(unw_cursor_t *, unw_context_t *);
static int (*step_)(unw_cursor_t *);
static int (*get_reg_)(unw_cursor_t *, unw_regnum_t, unw_word_t *);
static void (*flush_cache_)(unw_addr_space_t, unw_word_t, unw_word_t);
static unw_addr_space_t *local_space;

static bool look_up(void *library, const char *name, void *function) {
    void *found = dlsym(library, name);
    *(void **)function = found;
    return found != NULL;
}

#if defined(__x86_64__)
#define GETCONTEXT "_Ux86_64_getcontext"
#else
#define GETCONTEXT "" /* a macro of libunwind.h there */
#endif

static bool open_library(void) {
    void *library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    int (*set_policy)(unw_addr_space_t, unw_caching_policy_t);
    bool all = library != NULL && look_up(library, "unw_backtrace", &backtrace_) &&
               look_up(library, NAME(unw_init_local), &init_local_) &&
               look_up(library, NAME(unw_step), &step_) && look_up(library, NAME(unw_get_reg), &get_reg_) &&
               look_up(library, NAME(unw_flush_cache), &flush_cache_) &&
               look_up(library, NAME(unw_local_addr_space), &local_space) &&
               look_up(library, NAME(unw_set_caching_policy), &set_policy) &&
               (GETCONTEXT[0] == '\0' || look_up(library, GETCONTEXT, &getcontext_));
    if (all) {
        set_policy(*local_space, UNW_CACHE_PER_THREAD);
        unwind_note_library(local_space);
    } else {
        dlerror(); /* the program shall not find our error */
    }
    return all;
}

/* Takes over scratch[0..count). 1.6.2 on aarch64 finds an outermost frame twice that it cannot step out of: a
 * coroutine's, say, or one of code without a description. */
static void adopt(struct call_stack *stack, uint32_t count) {
#if defined(__aarch64__)
    const uintptr_t *end = stack->scratch + count;
    if (count > 1 && count < stack->capacity && unwind_whole(end[-1]) == unwind_whole(end[-2]))
        count--;
#endif
    unwind_adopt(stack, count);
}

void unwind_by_steps(struct call_stack *stack) {
    unw_context_t context;
    unw_cursor_t cursor;
    uint32_t count = 0;
#if defined(__x86_64__)
    getcontext_(&context);
#else
    unw_getcontext(&context);
#endif
    if (init_local_(&cursor, &context) == 0)
        do {
            unw_word_t pc = 0;
            if (get_reg_(&cursor, UNW_REG_IP, &pc) != 0 || pc == 0)
                break;
            stack->scratch[count++] = (uintptr_t)pc;
        } while (count < stack->capacity && step_(&cursor) > 0);
    adopt(stack, count);
}

/* ---- signed return addresses ----
 *
 * libunwind 1.6.2 does not know DW_CFA_AARCH64_negate_ra_state, and goes astray in what is compiled with
 * -mbranch-protection, as all of some distributions is. What it delivers down to such a frame is right: there
 * it is found out, by the frame's description. Then stacks are the back-end gcc's, from that one on. */

#if defined(__aarch64__)

#define UNSIGNED_BITS 12u

static bool knows_signed = true;
static uintptr_t unsigned_pcs[1u << UNSIGNED_BITS]; /* (atomic) looked up: not signed there */

/* Whether this function's two callers are found. It signs its return address, and its description says so,
 * also on processors that take that for nothing. */
static __attribute__((noinline, target("branch-protection=pac-ret"))) bool finds(uintptr_t callers_caller) {
    uintptr_t pcs[8], caller = (uintptr_t)__builtin_return_address(0);
    int count = backtrace_((void **)pcs, sizeof pcs / sizeof *pcs);
    for (int i = 1; i < count; i++)
        if (unwind_whole(pcs[i - 1]) == caller && unwind_whole(pcs[i]) == callers_caller)
            return true;
    return false;
}

static __attribute__((noinline)) void try_signed(void) {
    knows_signed = finds((uintptr_t)__builtin_return_address(0));
    __asm__ volatile(""); /* no tail call: this frame is looked for */
}

/* A return address stands for the call before it, an interrupted instruction for itself. */
static bool is_signed(uintptr_t pc) {
    uintptr_t *known = &unsigned_pcs[(pc >> 2) * 0x9E3779B97F4A7C15u >> (64 - UNSIGNED_BITS)];
    if (__builtin_expect(__atomic_load_n(known, __ATOMIC_RELAXED) == pc, 1))
        return false;
    if (cfi_row_signs(pc - 1) || cfi_row_signs(pc))
        return true;
    __atomic_store_n(known, pc, __ATOMIC_RELAXED);
    return false;
}

static bool goes_astray(const uintptr_t *pcs, int count) {
    if (knows_signed)
        return false;
    for (int i = 0; i < count; i++)
        if (__builtin_expect(is_signed(unwind_whole(pcs[i])), 0))
            return true;
    return false;
}

static void forget_unsigned(void) {
    for (size_t i = 0; i < sizeof unsigned_pcs / sizeof *unsigned_pcs; i++)
        __atomic_store_n(&unsigned_pcs[i], 0, __ATOMIC_RELAXED);
}

#else

static void try_signed(void) {}

static bool goes_astray(const uintptr_t *pcs, int count) {
    (void)pcs, (void)count;
    return false;
}

static void forget_unsigned(void) {}

#endif

/* ---- the back-end ---- */

static bool open_and_try(void) {
    bool open = open_library();
    if (open)
        try_signed();
    return open;
}

/* Whether code of a range that was once unmapped is on the stack: then what unw_backtrace remembers may be of
 * the library that was there before. */
static bool on_reused_code(const struct call_stack *stack) {
    if (!reused_code_any())
        return false;
    for (uint32_t i = 0; i < stack->count; i++)
        if (stack->frames[i].salt != 0)
            return true;
    return false;
}

static void walk(struct call_stack *stack, const struct caller *caller) {
    int count = backtrace_((void **)stack->scratch, (int)stack->capacity); /* our own frames are cut off */
    if (goes_astray(stack->scratch, count)) {
        unwind_fall_back();
        unwinder_gcc.walk(stack, caller);
        return;
    }
    adopt(stack, count > 0 ? (uint32_t)count : 0);
    if (on_reused_code(stack))
        unwind_by_steps(stack);
}

static void forget(void) {
    forget_unsigned();
    flush_cache_(*local_space, 0, 0);
}

const struct unwinder unwinder_libunwind = {"libunwind", open_and_try, walk, NULL, forget};
