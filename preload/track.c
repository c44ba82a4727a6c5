/* track.c - see track.h.
 *
 * The guard: `inside` says whether this thread is inside the tracer, and where on its stack it entered. A
 * signal handler that allocates meanwhile finds it so: its event touches the block table (one store), and is
 * counted by the thread itself when it leaves. Blocks allocated so have no stack (HT_STACK_UNATTRIBUTED).
 *
 * The fork page: its word is OWN_IMAGE in a traced process, and the kernel clears it in a forked child
 * (MADV_WIPEONFORK). The child's first event finds that and gives the child an image of its own. A vfork
 * or posix_spawn child shares memory, and so its parent's image, until it execs.
 *
 * Owns:    the guard, each thread's state.
 * Threads: any.  Signals: safe.  Heap: never. */
#include "track.h"

#include "image/cells.h"
#include "image/counters.h"
#include "image/image.h"
#include "image/modules.h"
#include "image/sample.h"
#include "image/snapshot.h"
#include "image/stacks.h"
#include "image/threads.h"
#include "platform/options.h"
#include "platform/sys.h"
#include "start.h"
#include "verify.h"
#include "unwind/cfi.h"

#include <sys/mman.h>

#define MUTED ((uintptr_t)1 << 56) /* added to `inside` by track_mute: beyond any address */

/* initial-exec by -ftls-model: plain loads off the thread pointer, never __tls_get_addr */
static __thread struct {
    struct thread *self;
    uintptr_t inside; /* 0: outside; else where on the stack it entered, plus MUTED as often as muted */
    int64_t until;    /* sampling: bytes until the next point; may be past */
    bool drawn;       /* `until` has been */
} here;

/* OWN_SAMPLED, OWN_VERIFIED: own too, but no event takes the short way. */
enum page_word { WIPED = 0, OWN_IMAGE = 1, ADOPTING = 2, OWN_SAMPLED = 3, OWN_VERIFIED = 4 };

/* A page of its own: the largest of any machine. In .bss beyond the file, so anonymous memory. */
#if defined(__aarch64__)
#define PAGE_BYTES 65536
#else
#define PAGE_BYTES 4096
#endif

static union {
    uint32_t word; /* (atomic) enum page_word; 0 also before the start */
    char page[PAGE_BYTES];
} fork_page __attribute__((aligned(PAGE_BYTES)));

static uint32_t own_word = OWN_IMAGE; /* of this process, as its options have it */
static bool verifying;                /* (atomic) */
static uint32_t started;              /* (atomic) */
static uint32_t stopped;              /* (atomic) */

/* ---- being in the right process ---- */

void track_begin(void) {
    if (__atomic_load_n(&started, __ATOMIC_ACQUIRE) != 0 || !start_once())
        return;
    if (sys_advise(&fork_page, sizeof fork_page, MADV_WIPEONFORK) != 0)
        return;
    own_word = options.sample_bytes != 0 ? OWN_SAMPLED : OWN_IMAGE;
    __atomic_store_n(&fork_page.word, own_word, __ATOMIC_RELEASE); /* partner: page_word's acquire */
    __atomic_store_n(&started, 1, __ATOMIC_RELEASE); /* partner: the acquire above, in track_ready */
}

static inline uint32_t page_word(void) {
    return __atomic_load_n(&fork_page.word, __ATOMIC_ACQUIRE);
}

static inline bool is_own(void) {
    return likely(page_word() == own_word);
}

static void inherit_block(uintptr_t address, struct block block) {
    (void)address;
    counters_inherit(block.cell, block.size_bytes);
}

/* The child's first event. The mapping is still the parent's; nothing may be written before it is ours. */
static bool adopt(void) {
    if (!options.follow || !image_adopt()) {
        __atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
        return false;
    }
    threads_after_fork(here.self);
    counters_reset();
    blocks_after_fork();
    blocks_each(inherit_block);
    counters_settle();
    snapshot_after_fork();
    unwind_after_fork();
    return true;
}

static uint32_t adopter; /* (atomic) the thread that adopts */

#define ADOPTION_PATIENCE 20000u /* turns; it takes 1 to 10 ms */

/* Another thread is adopting: its end is worth a while, since an event that is let pass is lost for good. A
 * handler on top of it, though, must pass. */
static bool adopted_elsewhere(void) {
    for (uint32_t i = 0; page_word() == ADOPTING && i < ADOPTION_PATIENCE; i++) {
        if (__atomic_load_n(&adopter, __ATOMIC_RELAXED) == sys_tid())
            return false;
        sys_yield();
    }
    return is_own();
}

/* The slow part of track_ready: after a fork. */
static __attribute__((noinline)) bool become_own(void) {
    uint32_t wiped = WIPED;
    if (__atomic_load_n(&started, __ATOMIC_ACQUIRE) == 0 || __atomic_load_n(&stopped, __ATOMIC_RELAXED) != 0)
        return false;
    if (!__atomic_compare_exchange_n(&fork_page.word, &wiped, ADOPTING, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return wiped == own_word || adopted_elsewhere();
    __atomic_store_n(&adopter, sys_tid(), __ATOMIC_RELAXED);
    uintptr_t before = here.inside;
    if (before == 0)
        here.inside = (uintptr_t)__builtin_frame_address(0);
    bool own = adopt();
    here.inside = before;
    /* Without an image of its own the page stays as it is: own_word would let a thread that has already read
     * `stopped` write to the parent's. */
    __atomic_store_n(&adopter, 0, __ATOMIC_RELAXED);
    if (own)
        __atomic_store_n(&fork_page.word, own_word, __ATOMIC_RELEASE);
    return own;
}

bool track_ready(void) {
    return is_own() || become_own();
}

void track_verify(void) {
    if (!track_ready())
        return;
    __atomic_store_n(&verifying, true, __ATOMIC_RELEASE);
    if (own_word == OWN_IMAGE) {
        own_word = OWN_VERIFIED;
        __atomic_store_n(&fork_page.word, OWN_VERIFIED, __ATOMIC_RELEASE);
    }
}

/* ---- counting, exact or sampled ---- */

static void count_block(struct thread *thread, struct block block, bool freed) {
    if (unlikely(options.sample_bytes != 0))
        counters_sampled(thread, block.cell, sample_weight(block.size_bytes), freed);
    else if (freed)
        (void)counters_freed(thread, block.cell, block.size_bytes); /* a sweep can wait */
    else
        counters_allocated(thread, block.cell, block.size_bytes);
}

/* ---- the guard ---- */

static void count_deferred(struct thread *thread) {
    uint32_t done = 0, count;
    do {
        count = __atomic_load_n(&thread->deferred_count, __ATOMIC_RELAXED);
        for (; done < count && done < DEFERRED_MAX; done++) {
            const struct deferred *event = &thread->deferred[done];
            count_block(thread, (struct block){event->size_bytes, event->cell}, event->freed);
        }
    } while (!__atomic_compare_exchange_n(&thread->deferred_count, &count, 0, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    image_slots[thread->slot].deferred += done;
}

/* Signal fences: the only other party is a handler on this very thread. */
static inline void open_guard(uintptr_t frame) {
    here.inside = frame;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void close_guard(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    here.inside = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static __attribute__((noinline)) void drain(struct thread *thread) {
    while (__atomic_load_n(&thread->deferred_count, __ATOMIC_RELAXED) != 0) {
        open_guard((uintptr_t)__builtin_frame_address(0));
        count_deferred(thread);
        close_guard();
    }
}

static inline void leave(struct thread *thread) {
    close_guard();
    if (unlikely(thread != NULL && __atomic_load_n(&thread->deferred_count, __ATOMIC_RELAXED) != 0))
        drain(thread);
}

#define FRAME_SLACK                                                                                          \
    512u /* hooks' own frames differ; a signal's frame is larger, with the red zone above it */

/* Whether the call that closed the guard is gone, since a handler on top of it has jumped out (siglongjmp).
 * Stacks grow down: what is on top of it lies below it. On an alternate stack, addresses say nothing. */
static bool abandoned(uintptr_t frame) {
    return here.inside < MUTED && frame + FRAME_SLACK >= here.inside && !sys_on_signal_stack();
}

/* Enters the tracer, whatever the circumstances. False: do not trace. True: *thread is this thread's state or
 * null, *nested says that the thread was inside already; leave() must follow unless nested. */
static __attribute__((noinline)) bool enter_slowly(uintptr_t frame, struct thread **thread, bool *nested) {
    if (here.inside != 0 && !abandoned(frame)) {
        *nested = true;
        *thread = here.self;
        return here.inside < MUTED && here.self != NULL && is_own();
    }
    if (here.inside != 0 && here.self != NULL) /* the jump may have come in the middle of a walk */
        unwind_reset(&here.self->stack);
    *nested = false;
    open_guard(frame);
    track_begin();
    if (!track_ready()) {
        here.inside = 0;
        return false;
    }
    if (here.self == NULL)
        here.self = threads_claim();
    *thread = here.self; /* null: then the event is lost, and counted so by the caller */
    return true;
}

/* Enters the tracer where the page says OWN_IMAGE: true where nothing else is out of the ordinary. */
static inline bool enter(struct thread **thread) {
    *thread = here.self;
    if (unlikely(*thread == NULL) || unlikely(here.inside != 0))
        return false;
    open_guard((uintptr_t)__builtin_frame_address(0));
    return true;
}

static inline bool enter_exactly(struct thread **thread) {
    return likely(page_word() == OWN_IMAGE) && enter(thread);
}

static void defer(struct thread *thread, struct block block, bool freed) {
    uint32_t at = __atomic_fetch_add(&thread->deferred_count, 1, __ATOMIC_RELAXED);
    if (at < DEFERRED_MAX)
        thread->deferred[at] = (struct deferred){block.cell, freed, block.size_bytes};
    else
        image_lose(HT_LOSS_DEFERRED, 1); /* at once: a thread whose handler jumped out may never leave */
}

/* ---- allocation ---- */

/* The cell of a stack that was just walked. */
static inline uint32_t stack_cell(struct thread *thread, struct call_stack *stack) {
    struct stack_frame *newest = &stack->frames[(int64_t)stack->count - 1]; /* of no frames: frames[-1] */
    if (newest->cell != 0)
        return newest->cell;
    struct stack_hash hash = call_stack_hash(stack);
    stacks_prefetch(hash);
    struct recent *recent = &thread->recents[hash.b * 0x9E3779B97F4A7C15u >> (64 - RECENT_BITS)];
    if (recent->hash.a == hash.a && recent->hash.b == hash.b && recent->cell != 0) {
        stacks_own(stack, recent->stack);
        return newest->cell = recent->cell;
    }
    uint32_t id = stacks_intern(stack, hash), cell = cells_find(thread, id);
    if (likely(cell != thread->overflow_cell)) {
        recent->cell = 0; /* a handler on top of this may never come back here */
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        recent->hash = hash;
        recent->stack = id;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        recent->cell = cell;
        newest->cell = cell;
    }
    return cell;
}

/* The cell of the caller's stack: walked. */
static __attribute__((noinline)) uint32_t walked_cell(struct thread *thread, const struct caller *caller) {
    struct call_stack *stack = &thread->stack;
    unwind_walk(stack, caller);
    if (stack->known != 0)
        return stack->known;
    uint32_t cell = stack_cell(thread, stack);
    if (unlikely(cell == thread->overflow_cell)) /* not remembered, so that each is counted */
        image_lose(HT_LOSS_OVERFLOW_ALLOCATIONS, 1);
    else
        unwind_remember(stack, cell);
    return cell;
}

static inline __attribute__((always_inline)) uint32_t current_cell(struct thread *thread,
                                                                   const struct caller *caller) {
#if defined(__x86_64__)
    uint32_t cell = cfi_recall(&thread->stack, caller->pc, caller_sp(caller), caller->bp);
    if (likely(cell != 0))
        return cell;
#endif
    return walked_cell(thread, caller);
}

static enum blocks_put put_block(uintptr_t address, struct block block, struct block *old) {
    return options.sample_bytes != 0 ? blocks_put_counted(address, block, old)
                                     : blocks_put(address, block, old);
}

/* A block was entered at an address that has one. Either that one was freed behind our back, or it is this
 * very block: an allocator's function that calls another interposed one (calloc by malloc, say). The inner
 * call was this thread's last entry then, from a frame further down the stack, and has counted the block.
 * True: count the new one. */
static bool replaced(struct thread *thread, uintptr_t address, const struct caller *caller, struct block old,
                     bool nested) {
    struct block again;
    if (thread->last_block == address && thread->last_frame < (uintptr_t)caller) {
        blocks_put(address, old, &again);
        return false;
    }
    __atomic_fetch_add(&image_slots[thread->slot].lost_frees, 1, __ATOMIC_RELAXED);
    if (nested)
        defer(thread, old, true);
    else
        count_block(thread, old, true);
    return true;
}

static void lose_block(uint64_t size_bytes) {
    image_lose(HT_LOSS_UNTRACKED_BLOCKS, 1);
    image_lose(HT_LOSS_UNTRACKED_BYTES, size_bytes);
}

/* What blocks_put says but BLOCKS_PUT; false: do not count the block. */
static __attribute__((noinline)) bool settle_put(enum blocks_put put, struct thread *thread,
                                                 uintptr_t address, uint64_t size_bytes,
                                                 const struct caller *caller, struct block old, bool nested) {
    if (put == BLOCKS_REPLACED)
        return replaced(thread, address, caller, old, nested);
    lose_block(size_bytes);
    return false;
}

static inline void note_clipped(uint64_t size_bytes) {
    if (unlikely(size_bytes >= UINT32_MAX))
        __atomic_store_n(&image_header->losses[HT_LOSS_CLIPPED_SIZES], blocks_clipped(), __ATOMIC_RELAXED);
}

/* The block that no small place could take. False: do not count it. */
static __attribute__((noinline)) bool put_elsewhere(struct thread *thread, uintptr_t address,
                                                    uint64_t size_bytes, uint32_t cell,
                                                    const struct caller *caller) {
    struct block old = {0, 0};
    enum blocks_put put = blocks_put(address, (struct block){size_bytes, cell}, &old);
    note_clipped(size_bytes);
    return put == BLOCKS_PUT || settle_put(put, thread, address, size_bytes, caller, old, false);
}

static inline __attribute__((always_inline)) void
allocated(struct thread *thread, uintptr_t address, uint64_t size_bytes, const struct caller *caller) {
    uint32_t *place = blocks_small_place(address, size_bytes), cell = current_cell(thread, caller);
    bool count =
        likely(place != NULL) && likely(blocks_put_small(place, address, (struct block){size_bytes, cell}));
    if (unlikely(!count))
        count = put_elsewhere(thread, address, size_bytes, cell, caller);
    thread->last_block = address;
    thread->last_frame = (uintptr_t)caller;
    if (likely(count))
        counters_allocated(thread, cell, size_bytes);
}

/* Sampling: whether no point falls into a block that this thread allocates. */
static inline bool passed_by(uint64_t size_bytes) {
    here.until -= (int64_t)(size_bytes | (size_bytes == 0));
    return likely(here.until > 0);
}

/* Draws the next point, from the end of the block on. False: this was the thread's first draw, and passes the
 * block by. */
static bool draw(struct thread *thread, uint64_t size_bytes) {
    bool first = !here.drawn;
    here.drawn = true;
    here.until = sample_distance(&thread->random);
    if (!first)
        return true;
    here.until -= (int64_t)size_bytes;
    return here.until <= 0 && draw(thread, 0);
}

static uint32_t verified_cell(struct thread *thread, const struct caller *caller) {
    uint32_t cell = current_cell(thread, caller);
    if (unlikely(__atomic_load_n(&verifying, __ATOMIC_ACQUIRE)))
        verify_stack(thread, image_cells[cell].stack);
    return cell;
}

static void allocated_in(struct thread *thread, uintptr_t address, uint64_t size_bytes,
                         const struct caller *caller, bool nested) {
    struct block old = {0, 0}, block = {size_bytes, thread->unattributed_cell};
    if (options.sample_bytes != 0 && !draw(thread, size_bytes))
        return;
    if (!nested)
        block.cell = verified_cell(thread, caller);
    enum blocks_put put = put_block(address, block, &old);
    note_clipped(size_bytes);
    bool count = put == BLOCKS_PUT || settle_put(put, thread, address, size_bytes, caller, old, nested);
    thread->last_block = address;
    thread->last_frame = (uintptr_t)caller;
    if (count && nested)
        defer(thread, block, false);
    else if (count)
        count_block(thread, block, false);
}

static __attribute__((noinline)) void allocated_slowly(void *block, size_t size_bytes,
                                                       const struct caller *caller) {
    struct thread *thread;
    bool nested;
    if (!enter_slowly((uintptr_t)__builtin_frame_address(0), &thread, &nested))
        return;
    if (thread == NULL)
        lose_block(size_bytes);
    else
        allocated_in(thread, (uintptr_t)block, size_bytes, caller, nested);
    if (!nested)
        leave(thread);
}

static __attribute__((noinline)) void allocated_exactly(void *block, size_t size_bytes,
                                                        const struct caller *caller) {
    struct thread *thread;
    if (unlikely(!enter(&thread))) {
        allocated_slowly(block, size_bytes, caller);
        return;
    }
    allocated(thread, (uintptr_t)block, size_bytes, caller);
    leave(thread);
}

/* The parting of the ways, without a frame of its own. */
void track_allocated(void *block, size_t size_bytes, const struct caller *caller) {
    uint32_t word = page_word();
    if (likely(word == OWN_IMAGE))
        allocated_exactly(block, size_bytes, caller);
    else if (word != OWN_SAMPLED || !passed_by(size_bytes))
        allocated_slowly(block, size_bytes, caller);
}

void track_allocated_once(void *block, size_t size_bytes, const struct caller *caller) {
    if (!track_ready() || !blocks_known((uintptr_t)block))
        track_allocated(block, size_bytes, caller);
}

/* ---- free ---- */

/* One takes some 30 us. */
#define SWEEP_LEAVES 4u

static struct block take_out(const void *block) {
    return options.sample_bytes != 0 ? blocks_remove_counted((uintptr_t)block)
                                     : blocks_remove((uintptr_t)block);
}

static void count_unmatched(struct thread *thread) {
    if (options.sample_bytes == 0)
        __atomic_fetch_add(&image_slots[thread->slot].unmatched_frees, 1, __ATOMIC_RELAXED);
}

/* The block is free: counts it, or that it was none of ours. */
static inline void count_free(struct thread *thread, bool nested, struct block old) {
    if (unlikely(old.cell == 0))
        count_unmatched(thread);
    else if (unlikely(nested))
        defer(thread, old, true);
    else
        count_block(thread, old, true);
}

/* known: it has been taken out of the table before, and was that. */
static __attribute__((noinline)) void freed_slowly(const void *block, const struct block *known) {
    struct thread *thread;
    bool nested;
    if (!enter_slowly((uintptr_t)__builtin_frame_address(0), &thread, &nested))
        return;
    struct block old = known != NULL ? *known : take_out(block);
    if (thread != NULL) {
        thread->last_block = 0;
        count_free(thread, nested, old);
    } else if (old.cell != 0) {
        image_lose(HT_LOSS_FREES, 1);
    }
    if (!nested)
        leave(thread);
}

static __attribute__((noinline)) void sweep(void) {
    counters_swept(blocks_sweep(SWEEP_LEAVES));
}

static __attribute__((noinline)) void freed_exactly(const void *block) {
    struct thread *thread;
    if (unlikely(!enter(&thread))) {
        freed_slowly(block, NULL);
        return;
    }
    struct block old = blocks_remove((uintptr_t)block);
    thread->last_block = 0;
    if (unlikely(old.cell == 0))
        count_unmatched(thread);
    else if (unlikely(counters_freed(thread, old.cell, old.size_bytes)))
        sweep();
    leave(thread);
}

void track_freed(void *block) {
    uint32_t word = page_word();
    if (likely(word == OWN_IMAGE))
        freed_exactly(block);
    else if (word != OWN_SAMPLED || !blocks_none_near((uintptr_t)block))
        freed_slowly(block, NULL);
}

struct block track_forget(void *block) {
    struct thread *thread;
    bool nested = false;
    if (page_word() == OWN_SAMPLED && blocks_none_near((uintptr_t)block))
        return (struct block){0, 0};
    if (unlikely(!enter_exactly(&thread)) &&
        !enter_slowly((uintptr_t)__builtin_frame_address(0), &thread, &nested))
        return (struct block){0, 0};
    struct block old = take_out(block);
    if (thread != NULL)
        thread->last_block = 0;
    if (!nested)
        leave(thread);
    return old;
}

void track_forgotten(struct block old) {
    struct thread *thread;
    if (unlikely(!enter_exactly(&thread))) {
        if (old.cell != 0 || page_word() != OWN_SAMPLED)
            freed_slowly(NULL, &old);
        return;
    }
    count_free(thread, false, old);
    leave(thread);
}

/* ---- realloc ---- */

void track_reallocated(struct block old, void *block, size_t size_bytes, const struct caller *caller) {
    struct thread *thread;
    if (unlikely(!enter_exactly(&thread))) {
        track_forgotten(old);
        track_allocated(block, size_bytes, caller);
        return;
    }
    count_free(thread, false, old);
    allocated(thread, (uintptr_t)block, size_bytes, caller);
    leave(thread);
}

void track_restore(struct block old, void *block) {
    struct thread *thread;
    struct block none;
    bool nested;
    if (old.cell == 0 || !enter_slowly((uintptr_t)__builtin_frame_address(0), &thread, &nested))
        return;
    put_block((uintptr_t)block, old, &none);
    if (!nested)
        leave(thread);
}

/* ---- the rest ---- */

void track_mute(void) {
    here.inside += MUTED;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void track_unmute(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    here.inside -= MUTED;
}

void track_code_unmapped(void) {
    struct thread *thread;
    bool nested;
    if (!enter_slowly((uintptr_t)__builtin_frame_address(0), &thread, &nested))
        return;
    modules_sweep();
    unwind_forget();
    if (!nested)
        leave(thread);
}
