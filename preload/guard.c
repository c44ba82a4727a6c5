/* guard.c - see guard.h.
 * Owns:    the fork page, each thread's state.
 * Threads: any.  Signals: safe.  Heap: never. */
#include "guard.h"

#include "births.h"
#include "image/counters.h"
#include "image/image.h"
#include "image/snapshot.h"
#include "image/threads.h"
#include "mappings.h"
#include "platform/options.h"
#include "platform/sys.h"
#include "start.h"
#include "track.h"
#include "tracked.h"
#include "tracing.h"
#include "unwind/unwind.h"

#include <sys/mman.h>

__thread struct guard guard;
union guard_page guard_page;

static uint32_t active_word = GUARD_OWN; /* while it traces, as its options have it */
static uint32_t own_word = GUARD_OWN;    /* (atomic) of this process: that, or GUARD_STOPPED */
static bool verifying;                   /* (atomic) */
static uint32_t started;                 /* (atomic) */
static uint32_t stopped;                 /* (atomic) */

bool guard_verifying(void) {
    return __atomic_load_n(&verifying, __ATOMIC_ACQUIRE); /* partner: track_verify */
}

/* Not by own_word: who starts or stops changes the two one after the other. */
static inline bool is_word_of_own(uint32_t word) {
    return word != GUARD_WIPED && word != GUARD_ADOPTING;
}

static inline bool is_own(void) {
    return is_word_of_own(guard_word());
}

/* ---- being in the right process ---- */

void track_begin(void) {
    if (__atomic_load_n(&started, __ATOMIC_ACQUIRE) != 0 || !start_once())
        return;
    if (sys_advise(&guard_page, sizeof guard_page, MADV_WIPEONFORK) != 0)
        return;
    active_word = options.sample_bytes != 0 ? GUARD_SAMPLED : options.details ? GUARD_DETAILED : GUARD_OWN;
    own_word = options.start ? active_word : GUARD_STOPPED;
    image_header->stopped = options.start ? 0 : 1;
    __atomic_store_n(&guard_page.word, own_word, __ATOMIC_RELEASE); /* partner: guard_word's acquire */
    __atomic_store_n(&started, 1, __ATOMIC_RELEASE); /* partner: the acquire above, in track_ready */
}

static void inherit_block(uintptr_t address, struct block block) {
    counters_inherit(block.cell, block.size_bytes, true);
    if (options.details && !cells_is_retired(block.cell)) {
        struct birth birth = births_get(address, block.size_bytes);
        counters_inherit_birth(block.cell, block.size_bytes, &birth);
    }
}

static void inherit_tracked(uintptr_t address, struct block block) {
    (void)address;
    counters_inherit(block.cell, block.size_bytes, false);
}

static void inherit_mapping(uint32_t cell, uint64_t size_bytes) {
    counters_inherit(cell, size_bytes, false);
}

/* The child's first event. The mapping is still the parent's; nothing may be written before it is ours. */
static bool adopt(void) {
    if (!options.follow || !image_adopt()) {
        __atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
        return false;
    }
    threads_after_fork(guard.thread);
    counters_reset();
    details_after_fork();
    blocks_after_fork();
    blocks_each(inherit_block);
    tracked_each(inherit_tracked);
    mappings_after_fork();
    mappings_each(inherit_mapping);
    counters_settle();
    snapshot_after_fork();
    tracing_after_fork();
    unwind_after_fork();
    image_publish();
    return true;
}

static uint32_t adopter; /* (atomic) the thread that adopts */

#define ADOPTION_PATIENCE 20000u /* turns; it takes 1 to 10 ms */

/* Another thread is adopting: its end is worth a while, since an event that is let pass is lost for good.
 * What is on top of it, though, must pass. */
static bool adopted_elsewhere(void) {
    for (uint32_t i = 0; guard_word() == GUARD_ADOPTING && i < ADOPTION_PATIENCE; i++) {
        if (__atomic_load_n(&adopter, __ATOMIC_RELAXED) == sys_tid())
            return false;
        sys_yield();
    }
    return is_own();
}

/* This thread has the page; to nobody else is the process its own yet. */
static bool adopt_for_all(void) {
    __atomic_store_n(&adopter, sys_tid(), __ATOMIC_RELAXED);
    uintptr_t before = guard.inside;
    if (before == 0)
        guard.inside = (uintptr_t)__builtin_frame_address(0);
    bool own = adopt();
    guard.inside = before;
    /* Without an image of its own the page stays as it is: own_word would let a thread that has already read
     * `stopped` write to the parent's. */
    __atomic_store_n(&adopter, 0, __ATOMIC_RELAXED);
    if (own)
        __atomic_store_n(&guard_page.word, own_word, __ATOMIC_RELEASE);
    return own;
}

/* The slow part of track_ready: after a fork. Without signals: the events of a handler on top of it would be
 * lost, and if that jumped out, nobody would ever end what it interrupted. */
static __attribute__((noinline)) bool become_own(void) {
    uint32_t wiped = GUARD_WIPED;
    if (__atomic_load_n(&started, __ATOMIC_ACQUIRE) == 0 || __atomic_load_n(&stopped, __ATOMIC_RELAXED) != 0)
        return false;
    uint64_t signals = sys_block_signals();
    bool taken = __atomic_compare_exchange_n(&guard_page.word, &wiped, GUARD_ADOPTING, false,
                                             __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    bool own = taken && adopt_for_all();
    sys_set_signals(signals);
    return taken ? own : is_word_of_own(wiped) || adopted_elsewhere();
}

bool track_ready(void) {
    return is_own() || become_own();
}

void track_verify(void) {
    if (!track_ready())
        return;
    __atomic_store_n(&verifying, true, __ATOMIC_RELEASE);
    if (active_word == GUARD_OWN) {
        active_word = GUARD_VERIFIED;
        if (guard_word() != GUARD_STOPPED)
            track_resume();
    }
}

bool track_is_active(void) {
    return track_ready() && guard_word() != GUARD_STOPPED;
}

static void become(uint32_t word) {
    __atomic_store_n(&image_header->stopped, word == GUARD_STOPPED ? 1 : 0, __ATOMIC_RELAXED);
    __atomic_store_n(&own_word, word, __ATOMIC_RELAXED);
    __atomic_store_n(&guard_page.word, word, __ATOMIC_RELEASE); /* partner: guard_word's acquire */
}

void track_resume(void) {
    become(active_word);
}

void track_pause(void) {
    become(GUARD_STOPPED);
}

void guard_set_context(struct thread *thread, uint32_t context) {
    thread->context = context;
    guard.self = context == 0 ? thread : NULL;
}

/* ---- being the only one inside ---- */

static void count_detailed(struct thread *thread, const struct deferred *event,
                           const struct happening *happening) {
    if (!event->freed)
        __atomic_store_n(&thread->details->allocations, thread->details->allocations + 1, __ATOMIC_RELAXED);
    (void)counters_detailed(thread, event->cell, event->size_bytes, event->freed, happening);
}

static void count_deferred(struct thread *thread) {
    uint32_t done = 0, count;
    do {
        count = __atomic_load_n(&thread->deferred_count, __ATOMIC_RELAXED);
        for (; done < count && done < DEFERRED_MAX; done++) {
            struct deferred *event = &thread->deferred[done];
            if (event->cell == 0) /* a handler jumped out of the one that was about to write it */
                continue;
            if (event->mapping)
                counters_mapping(thread, event->cell, event->blocks, event->size_bytes, event->freed);
            else if (thread->details != NULL)
                count_detailed(thread, event, &thread->details->deferred[done]);
            else
                counters_event(thread, event->cell, event->size_bytes, event->freed);
            event->cell = 0;
        }
    } while (!__atomic_compare_exchange_n(&thread->deferred_count, &count, 0, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    image_slots[thread->slot].deferred += done;
}

/* Not into the events, where it would take registers of theirs. */
__attribute__((noinline)) void guard_drain(struct thread *thread) {
    while (__atomic_load_n(&thread->deferred_count, __ATOMIC_RELAXED) != 0) {
        guard_open((uintptr_t)__builtin_frame_address(0));
        count_deferred(thread);
        guard_close();
    }
}

#define FRAME_SLACK                                                                                          \
    512u /* hooks' own frames differ; a signal's frame is larger, with the red zone above it */

/* Whether the call that closed the guard is gone, since a handler on top of it has jumped out (siglongjmp).
 * Stacks grow down: what is on top of it lies below it. On an alternate stack, addresses say nothing. */
static bool abandoned(uintptr_t frame) {
    return guard.inside < GUARD_MUTED && frame + FRAME_SLACK >= guard.inside && !sys_on_signal_stack();
}

/* Without signals: a handler on top of it would find a thread that is inside and has no state, where its
 * events could be neither counted nor put off. */
static __attribute__((noinline)) void claim(uintptr_t frame) {
    uint64_t signals = sys_block_signals();
    uintptr_t before = guard.inside;
    guard_open(frame);
    if (guard.thread == NULL) /* else a handler was faster */
        guard.thread = guard.self = threads_claim();
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    guard.inside = before;
    sys_set_signals(signals);
}

bool guard_enter_slowly(uintptr_t frame, struct thread **thread, bool *nested) {
    if (guard.inside != 0 && !abandoned(frame)) {
        *nested = true;
        *thread = guard.thread; /* null: as below */
        return guard.inside < GUARD_MUTED && is_own() && guard_word() != GUARD_STOPPED;
    }
    if (guard.inside != 0 && guard.thread != NULL) { /* the jump may have left a walk or a sweep half done */
        unwind_reset(&guard.thread->stack);
        blocks_abandoned();
    }
    *nested = false;
    /* before the guard is closed, from when on handlers are on top of this */
    bool claimed = track_is_active() && guard.thread == NULL;
    if (claimed)
        claim(frame);
    guard_open(frame);
    track_begin();
    if (!track_is_active()) {
        guard.inside = 0;
        return false;
    }
    if (guard.thread == NULL && !claimed) /* the first event of the process */
        claim(frame);
    *thread = guard.thread; /* null: then the event is lost, and counted so by the caller */
    return true;
}

static void defer(struct thread *thread, struct deferred event, const struct happening *happening) {
    uint32_t at = __atomic_fetch_add(&thread->deferred_count, 1, __ATOMIC_RELAXED);
    if (at >= DEFERRED_MAX) {
        image_lose(HT_LOSS_DEFERRED, 1); /* at once: a thread whose handler jumped out may never leave */
        return;
    }
    uint32_t cell = event.cell;
    event.cell = 0;
    thread->deferred[at] = event;
    if (happening != NULL && thread->details != NULL)
        thread->details->deferred[at] = *happening;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    thread->deferred[at].cell = cell; /* last: it says that the event is there */
}

void guard_defer(struct thread *thread, struct block block, bool freed, const struct happening *happening) {
    defer(thread, (struct deferred){.cell = block.cell, .freed = freed, .size_bytes = block.size_bytes},
          happening);
}

void guard_defer_mapping(struct thread *thread, uint32_t cell, uint32_t blocks, uint64_t size_bytes,
                         bool freed) {
    defer(thread,
          (struct deferred){.cell = cell,
                            .freed = freed,
                            .mapping = true,
                            .blocks = (uint16_t)blocks,
                            .size_bytes = size_bytes},
          NULL);
}
