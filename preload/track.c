/* track.c - see track.h.
 *
 * The guard: `depth` counts how often this thread is inside the tracer. A signal handler that allocates
 * while it is 1 finds it so: its event touches the block table (one store), and is counted by the thread
 * itself when it leaves. Blocks allocated so have no stack (HT_STACK_UNATTRIBUTED).
 *
 * The fork page: its word is `own_image` in a traced process, and the kernel clears it in a forked child
 * (MADV_WIPEONFORK). The child's first event finds that and gives the child an image of its own. A vfork
 * or posix_spawn child shares memory, and so its parent's image, until it execs.
 *
 * Owns:    the guard, each thread's `self`.
 * Threads: any.  Signals: safe.  Heap: never. */
#include "track.h"

#include "image/cells.h"
#include "image/counters.h"
#include "image/image.h"
#include "image/modules.h"
#include "image/snapshot.h"
#include "image/stacks.h"
#include "image/cells.h"
#include "image/threads.h"
#include "platform/options.h"
#include "platform/sys.h"
#include "start.h"
#include "unwind/unwind.h"

#include <sys/mman.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define MUTED       0x10000u /* added to depth by track_mute */

/* initial-exec by -ftls-model: a plain load off the thread pointer, never __tls_get_addr */
static __thread struct thread *self;
static __thread uint32_t depth;
static __thread uintptr_t entered_at; /* about where the stack was when depth became 1 */

enum page_word { WIPED = 0, OWN_IMAGE = 1, ADOPTING = 2 };

static uint32_t *fork_page; /* (atomic) word; null: not started */
static uint32_t stopped;    /* (atomic) */

/* ---- being in the right process ---- */

void track_begin(void) {
    if (fork_page != NULL || !start_once())
        return;
    uint32_t *page = sys_map(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (page == NULL || sys_advise(page, 4096, MADV_WIPEONFORK) != 0)
        return;
    *page = OWN_IMAGE;
    __atomic_store_n(&fork_page, page, __ATOMIC_RELEASE); /* partner: track_ready's acquire */
}

static void inherit_block(struct block block) {
    counters_inherit(block.cell, block.size_bytes);
}

/* The child's first event. The mapping is still the parent's; nothing may be written before it is ours. */
static bool adopt(void) {
    if (!options.follow || !image_adopt()) {
        __atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
        return false;
    }
    threads_after_fork(self);
    counters_reset();
    blocks_each(inherit_block);
    counters_settle();
    snapshot_after_fork();
    unwind_after_fork();
    return true;
}

/* The slow part of track_ready: after a fork. */
static __attribute__((noinline)) bool become_own(uint32_t *page) {
    uint32_t wiped = WIPED;
    if (!__atomic_compare_exchange_n(page, &wiped, ADOPTING, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return wiped == OWN_IMAGE; /* ADOPTING: a handler on top of adopt, or a raw clone; let it pass */
    uint32_t before = depth;
    if (before == 0)
        entered_at = (uintptr_t)__builtin_frame_address(0);
    depth = before + 1;
    bool own = adopt();
    depth = before;
    /* Without an image of its own the page stays as it is: OWN_IMAGE would let a thread that has already read
     * `stopped` write to the parent's. */
    if (own)
        __atomic_store_n(page, OWN_IMAGE, __ATOMIC_RELEASE);
    return own;
}

bool track_ready(void) {
    uint32_t *page = __atomic_load_n(&fork_page, __ATOMIC_ACQUIRE);
    if (unlikely(page == NULL) || unlikely(__atomic_load_n(&stopped, __ATOMIC_RELAXED) != 0))
        return false;
    return likely(__atomic_load_n(page, __ATOMIC_RELAXED) == OWN_IMAGE) || become_own(page);
}

/* ---- the guard ---- */

static void count_deferred(struct thread *thread) {
    uint32_t done = 0, count;
    do {
        count = __atomic_load_n(&thread->deferred_count, __ATOMIC_RELAXED);
        for (; done < count && done < DEFERRED_MAX; done++) {
            const struct deferred *event = &thread->deferred[done];
            if (event->freed)
                counters_freed(thread, event->cell, event->size_bytes);
            else
                counters_allocated(thread, event->cell, event->size_bytes);
        }
    } while (!__atomic_compare_exchange_n(&thread->deferred_count, &count, 0, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    image_slots[thread->slot].deferred += done;
}

/* Signal fences: the only other party is a handler on this very thread. */
static void leave(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    depth--;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    while (unlikely(self != NULL && __atomic_load_n(&self->deferred_count, __ATOMIC_RELAXED) != 0) &&
           depth == 0) {
        depth++;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        count_deferred(self);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        depth--;
    }
}

/* This thread's state, or null: then the event is lost, and counted so by the caller. */
static __attribute__((noinline)) struct thread *first_event(void) {
    return self = threads_claim();
}

#define FRAME_SLACK                                                                                          \
    512u /* hooks' own frames differ; a signal's frame is larger, with the red zone above it */

/* Whether the call that closed the guard is gone, since a handler on top of it has jumped out (siglongjmp).
 * Stacks grow down: what is on top of it lies below it. On an alternate stack, addresses say nothing. */
static __attribute__((noinline)) bool abandoned(uintptr_t frame) {
    return depth < MUTED && frame + FRAME_SLACK >= entered_at && !sys_on_signal_stack();
}

/* Enters the tracer. False: do not trace. True: *thread is this thread's state or null, *nested says that
 * the thread was inside already; leave() must follow unless nested. */
static bool enter(struct thread **thread, bool *nested) {
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    if (unlikely(depth != 0) && !abandoned(frame)) {
        *nested = true;
        *thread = self;
        return depth < MUTED && self != NULL && fork_page != NULL && *fork_page == OWN_IMAGE &&
               __atomic_load_n(&stopped, __ATOMIC_RELAXED) == 0;
    }
    if (unlikely(depth != 0) && self != NULL) { /* the jump may have come in the middle of either */
        self->trace.count = self->trace.depth = 0;
        unwind_reset(&self->stack);
    }
    *nested = false;
    entered_at = frame;
    depth = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (unlikely(fork_page == NULL))
        track_begin();
    if (unlikely(!track_ready())) {
        depth = 0;
        return false;
    }
    *thread = likely(self != NULL) ? self : first_event();
    return true;
}

static void defer(struct thread *thread, uint32_t cell, uint64_t size_bytes, bool freed) {
    uint32_t at = __atomic_fetch_add(&thread->deferred_count, 1, __ATOMIC_RELAXED);
    if (at < DEFERRED_MAX)
        thread->deferred[at] = (struct deferred){cell, freed, size_bytes};
    else
        image_lose(HT_LOSS_DEFERRED, 1); /* at once: a thread whose handler jumped out may never leave */
}

/* ---- allocation ---- */

/* Whether code of a range that was once unmapped is on the stack: then what the unwinder remembers may be
 * of the library that was there before. */
static bool on_reused_code(const struct call_stack *stack) {
    if (likely(modules_reused_high == 0))
        return false;
    for (uint32_t i = 0; i < stack->count; i++)
        if (modules_salt(stack->pcs[i]) != 0)
            return true;
    return false;
}

static uint32_t current_stack(struct thread *thread, const struct caller *caller) {
    struct call_stack *stack = &thread->stack;
    unwind_walk(stack, caller, false);
    if (likely(stack->known != 0))
        return stack->known;
    uint32_t shared = stack->shared;
    if (unlikely(on_reused_code(stack))) {
        unwind_walk(stack, caller, true);
        shared = stack->shared < shared ? stack->shared : shared;
    }
    trace_set(&thread->trace, stack->pcs, stack->count, shared);
    uint32_t id = stacks_intern(&thread->trace);
    if (unlikely(stack->count > options.nframe)) /* not remembered, so that each is counted */
        image_slots[thread->slot].truncated++;
    else if (likely(id != HT_STACK_OVERFLOW))
        unwind_remember(stack, id);
    return id;
}

/* A block was entered at an address that has one. Either that one was freed behind our back, or it is this
 * very block: an allocator's function that calls another interposed one (calloc by malloc, say). The inner
 * call was this thread's last entry then, and has counted the block. True: count the new one. */
static bool replaced(struct thread *thread, uintptr_t address, struct block old, bool nested) {
    struct block again;
    if (thread->last_block == address) {
        blocks_put(address, old, &again);
        return false;
    }
    __atomic_fetch_add(&image_slots[thread->slot].lost_frees, 1, __ATOMIC_RELAXED);
    if (nested)
        defer(thread, old.cell, old.size_bytes, true);
    else
        counters_freed(thread, old.cell, old.size_bytes);
    return true;
}

static void lose_block(uint64_t size_bytes) {
    image_lose(HT_LOSS_UNTRACKED_BLOCKS, 1);
    image_lose(HT_LOSS_UNTRACKED_BYTES, size_bytes);
}

/* Enters the block; false: do not count it. */
static bool enter_block(struct thread *thread, uintptr_t address, struct block block, bool nested) {
    struct block old = {0, 0};
    enum blocks_put put = blocks_put(address, block, &old);
    if (unlikely(put == BLOCKS_FULL))
        lose_block(block.size_bytes);
    if (unlikely(block.size_bytes >= UINT32_MAX))
        __atomic_store_n(&image_header->losses[HT_LOSS_CLIPPED_SIZES], blocks_clipped(), __ATOMIC_RELAXED);
    bool count =
        likely(put == BLOCKS_PUT) || (put == BLOCKS_REPLACED && replaced(thread, address, old, nested));
    thread->last_block = address;
    return count;
}

static void allocated_nested(struct thread *thread, uintptr_t address, uint64_t size_bytes) {
    struct block block = {size_bytes, thread->unattributed_cell};
    if (enter_block(thread, address, block, true))
        defer(thread, block.cell, size_bytes, false);
}

static void allocated(struct thread *thread, uintptr_t address, uint64_t size_bytes,
                      const struct caller *caller) {
    struct block block = {size_bytes, cells_find(thread, current_stack(thread, caller))};
    if (unlikely(block.cell == thread->overflow_cell)) /* no room for the stack, or none for its cell */
        image_lose(HT_LOSS_OVERFLOW_ALLOCATIONS, 1);
    if (enter_block(thread, address, block, false))
        counters_allocated(thread, block.cell, size_bytes);
}

static void track(void *block, size_t size_bytes, bool once, const struct caller *caller) {
    struct thread *thread;
    bool nested;
    if (!enter(&thread, &nested))
        return;
    if (once && blocks_known((uintptr_t)block))
        ;
    else if (unlikely(thread == NULL))
        lose_block(size_bytes);
    else if (unlikely(nested))
        allocated_nested(thread, (uintptr_t)block, size_bytes);
    else
        allocated(thread, (uintptr_t)block, size_bytes, caller);
    if (!nested)
        leave();
}

void track_allocated(void *block, size_t size_bytes, const struct caller *caller) {
    track(block, size_bytes, false, caller);
}

void track_allocated_once(void *block, size_t size_bytes, const struct caller *caller) {
    track(block, size_bytes, true, caller);
}

/* ---- free ---- */

static void count_free(struct thread *thread, bool nested, struct block old) {
    if (unlikely(old.cell == 0))
        __atomic_fetch_add(&image_slots[thread->slot].unmatched_frees, 1, __ATOMIC_RELAXED);
    else if (unlikely(nested))
        defer(thread, old.cell, old.size_bytes, true);
    else
        counters_freed(thread, old.cell, old.size_bytes);
}

void track_freed(void *block) {
    struct thread *thread;
    bool nested;
    if (!enter(&thread, &nested))
        return;
    struct block old = blocks_remove((uintptr_t)block);
    if (likely(thread != NULL)) {
        thread->last_block = 0;
        count_free(thread, nested, old);
    } else if (old.cell != 0) {
        image_lose(HT_LOSS_FREES, 1);
    }
    if (!nested)
        leave();
}

struct block track_forget(void *block) {
    struct thread *thread;
    bool nested;
    if (!enter(&thread, &nested))
        return (struct block){0, 0};
    struct block old = blocks_remove((uintptr_t)block);
    if (thread != NULL)
        thread->last_block = 0;
    if (!nested)
        leave();
    return old;
}

void track_forgotten(struct block old) {
    struct thread *thread;
    bool nested;
    if (!enter(&thread, &nested))
        return;
    if (thread != NULL)
        count_free(thread, nested, old);
    else if (old.cell != 0)
        image_lose(HT_LOSS_FREES, 1);
    if (!nested)
        leave();
}

/* ---- realloc ---- */

void track_reallocated(struct block old, void *block, size_t size_bytes, const struct caller *caller) {
    track_forgotten(old);
    track_allocated(block, size_bytes, caller);
}

void track_restore(struct block old, void *block) {
    struct thread *thread;
    struct block none;
    bool nested;
    if (old.cell == 0 || !enter(&thread, &nested))
        return;
    blocks_put((uintptr_t)block, old, &none);
    if (!nested)
        leave();
}

/* ---- the rest ---- */

void track_mute(void) {
    depth += MUTED;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void track_unmute(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    depth -= MUTED;
}

void track_code_unmapped(void) {
    struct thread *thread;
    bool nested;
    if (!enter(&thread, &nested))
        return;
    modules_sweep();
    unwind_forget();
    if (!nested)
        leave();
}
