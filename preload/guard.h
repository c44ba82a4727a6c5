/* guard.h - who may count an event: a thread that is not inside the tracer already, in a process whose image
 * is its own.
 *
 * `inside` says whether this thread is inside the tracer, and where on its stack it entered. A signal handler
 * that allocates meanwhile finds it so: its event touches the block table (one store), and is counted by the
 * thread itself when it leaves (guard_defer).
 *
 * The fork page: its word says that this process has an image of its own, and the kernel clears it in a
 * forked child (MADV_WIPEONFORK). The child's first event finds that and gives the child an image of its own.
 * A vfork or posix_spawn child shares memory, and so its parent's image, until it execs.
 *
 * Owns:    the fork page, each thread's state.
 * Threads: any.  Signals: safe.  Heap: never. */
#ifndef HEAPTALLY_GUARD_H
#define HEAPTALLY_GUARD_H

#include "blocks.h"
#include "image/thread.h"

#include <stdbool.h>
#include <stdint.h>

/* Added to `inside` by track_mute: beyond any address. */
#define GUARD_MUTED ((uintptr_t)1 << 56)

/* initial-exec by -ftls-model: plain loads off the thread pointer, never __tls_get_addr */
struct guard {
    struct thread *self; /* null also where `thread` has a context: none of its events takes the short way */
    struct thread *thread;
    uintptr_t inside; /* 0: outside; else where on the stack it entered, plus GUARD_MUTED as often as muted */
    int64_t until;    /* sampling: bytes until the next point; may be past */
    bool drawn;       /* `until` has been */
};

extern __thread struct guard guard __attribute__((visibility("hidden")));

/* GUARD_SAMPLED, GUARD_VERIFIED, GUARD_DETAILED: own too, but no event takes the short way. GUARD_STOPPED:
 * own, and none counts. */
enum guard_word {
    GUARD_WIPED = 0,
    GUARD_OWN = 1,
    GUARD_ADOPTING = 2,
    GUARD_SAMPLED = 3,
    GUARD_VERIFIED = 4,
    GUARD_STOPPED = 5,
    GUARD_DETAILED = 6,
};

/* A page of its own: the largest of any machine. In .bss beyond the file, so anonymous memory. */
#if defined(__aarch64__)
#define GUARD_PAGE_BYTES 65536
#else
#define GUARD_PAGE_BYTES 4096
#endif

extern union guard_page {
    uint32_t word; /* (atomic) enum guard_word; 0 also before the start */
    char page[GUARD_PAGE_BYTES];
} guard_page __attribute__((visibility("hidden"), aligned(GUARD_PAGE_BYTES)));

/* This thread's allocations are from now on of a context (contexts.h); 0: of none. */
void guard_set_context(struct thread *thread, uint32_t context);

/* Whether stacks are verified (track_verify). */
bool guard_verifying(void);

static inline uint32_t guard_word(void) {
    return __atomic_load_n(&guard_page.word, __ATOMIC_ACQUIRE); /* partner: the releases in guard.c */
}

/* Signal fences: the only other party is a handler on this very thread. */
static inline void guard_open(uintptr_t frame) {
    guard.inside = frame;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void guard_close(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    guard.inside = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Enters where the page says GUARD_OWN: true where nothing else is out of the ordinary. */
static inline bool guard_enter(uintptr_t frame, struct thread **thread) {
    *thread = guard.self;
    if (__builtin_expect(*thread == NULL || guard.inside != 0, 0))
        return false;
    guard_open(frame);
    return true;
}

static inline bool guard_enter_exactly(struct thread **thread) {
    return __builtin_expect(guard_word() == GUARD_OWN, 1) &&
           guard_enter((uintptr_t)__builtin_frame_address(0), thread);
}

/* The frame that was entered at: a load for a register that the way there may want. */
static inline uintptr_t guard_frame(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* not before */
    return guard.inside;
}

/* Enters, whatever the circumstances. False: do not trace. True: *thread is this thread's state or null,
 * *nested says that the thread was inside already; guard_leave must follow unless nested. */
bool guard_enter_slowly(uintptr_t frame, struct thread **thread, bool *nested);

/* Puts the event of a handler off: to be counted when its thread leaves. happening: of HEAPTALLY_DETAILS,
 * else null. */
void guard_defer(struct thread *thread, struct block block, bool freed, const struct happening *happening);

/* As guard_defer, of a mapping (counters_mapping). */
void guard_defer_mapping(struct thread *thread, uint32_t cell, uint32_t blocks, uint64_t size_bytes,
                         bool freed);

/* Counts what handlers have put off. Rare, and not to make a frame for all who leave. */
__attribute__((noinline)) void guard_drain(struct thread *thread);

static inline void guard_leave(struct thread *thread) {
    guard_close();
    if (__builtin_expect(thread != NULL && __atomic_load_n(&thread->deferred_count, __ATOMIC_RELAXED) != 0,
                         0))
        guard_drain(thread);
}

#endif
