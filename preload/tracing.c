/* tracing.c - see tracing.h.
 *
 * To clear all traces needs no other thread to wait. Cells that are there are retired (cells.h), and every
 * thread takes new ones; blocks keep naming the old ones, and their frees then count nowhere. What a thread
 * was doing at that very moment is counted before, or after, or half of it on each side: see counters_clear.
 *
 * Owns:    whether somebody is changing it.
 * Threads: any.  Signals: safe.  Heap: never. */
#include "tracing.h"

#include "blocks.h"
#include "guard.h"
#include "image/cells.h"
#include "image/contexts.h"
#include "image/counters.h"
#include "image/image.h"
#include "image/modules.h"
#include "image/stacks.h"
#include "platform/options.h"
#include "platform/sys.h"
#include "track.h"
#include "tracked.h"
#include "unwind/unwind.h"

#define NOT_TRACING HEAPTALLY_NOT_TRACING
#define FAILED      HEAPTALLY_FAILED

/* ---- one change at a time ---- */

static uint32_t changing; /* (atomic) the thread that starts, stops or clears */

#define PATIENCE 20000u /* turns; a clear takes microseconds to milliseconds */

/* Waits for another thread's turn to end; not for that of the very thread whose handler this is. */
static bool begin_change(void) {
    uint32_t self = sys_tid();
    for (uint32_t i = 0; i < PATIENCE; i++) {
        uint32_t none = 0;
        if (__atomic_compare_exchange_n(&changing, &none, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
        if (none == self)
            return false;
        sys_yield();
    }
    return false;
}

static void end_change(void) {
    __atomic_store_n(&changing, 0, __ATOMIC_RELEASE);
}

void tracing_after_fork(void) {
    __atomic_store_n(&changing, 0, __ATOMIC_RELAXED);
}

/* Epoch, then walks, then totals: track.c's walked_cell relies on the first two. */
static void clear(void) {
    cells_retire();
    unwind_forget();
    contexts_clear();
    counters_clear();
    __atomic_fetch_add(&image_header->clears, 1, __ATOMIC_RELAXED);
}

/* ---- starting and stopping ---- */

bool tracing_is_active(void) {
    track_begin();
    return track_is_active();
}

static void resume(unsigned nframe) {
    __atomic_store_n(&options.nframe, nframe, __ATOMIC_RELAXED);
    __atomic_store_n(&image_header->nframe, nframe, __ATOMIC_RELAXED);
    modules_sweep(); /* what was unmapped meanwhile */
    clear();
    track_resume();
}

int tracing_start(unsigned nframe) {
    if (nframe < 1 || nframe > HT_NFRAME_MAX)
        return FAILED;
    track_begin();
    if (!track_ready())
        return NOT_TRACING;
    if (track_is_active())
        return 0;
    if (!begin_change())
        return FAILED;
    if (!track_is_active())
        resume(nframe);
    end_change();
    return 0;
}

int tracing_stop(void) {
    if (!tracing_is_active())
        return 0;
    if (!begin_change())
        return FAILED;
    track_pause();
    clear();
    end_change();
    return 0;
}

int tracing_clear(void) {
    if (!tracing_is_active())
        return NOT_TRACING;
    if (!begin_change())
        return FAILED;
    clear();
    end_change();
    return 0;
}

/* ---- figures ---- */

void tracing_reset_peak(void) {
    if (tracing_is_active())
        counters_reset_peak();
}

void tracing_memory(size_t *current, size_t *peak) {
    bool active = tracing_is_active();
    *current = active ? counters_live() : 0;
    *peak = active ? counters_peak() : 0;
}

size_t tracing_tables(void) {
    track_begin();
    if (!track_ready())
        return 0;
    return __atomic_load_n(&image_header->committed_bytes, __ATOMIC_RELAXED) +
           __atomic_load_n(&image_header->private_bytes, __ATOMIC_RELAXED);
}

int tracing_traceback(const void *block, void **pcs, int room) {
    if (!tracing_is_active())
        return NOT_TRACING;
    uint32_t cell = blocks_find((uintptr_t)block).cell;
    uint32_t stack = cell != 0 ? __atomic_load_n(&image_cells[cell].stack, __ATOMIC_ACQUIRE) : HT_STACK_NONE;
    return stack != HT_STACK_NONE ? (int)stacks_frames(stack, pcs, room > 0 ? (uint32_t)room : 0) : FAILED;
}

/* ---- being inside ---- */

/* Opens the guard of this thread. 0, or what the caller is to return: a handler on top of the tracer's own
 * work would find the tables half changed. */
static int enter(struct thread **thread, uintptr_t frame) {
    bool nested;
    if (!guard_enter_slowly(frame, thread, &nested))
        return NOT_TRACING;
    if (!nested && *thread != NULL)
        return 0;
    if (!nested)
        guard_leave(NULL);
    return FAILED;
}

#define ENTER(thread) enter((thread), (uintptr_t)__builtin_frame_address(0))

/* ---- blocks of a program's own ---- */

static void count(struct thread *thread, struct block block, bool freed) {
    if (block.cell != 0)
        counters_exactly(thread, block.cell, block.size_bytes, freed);
}

static int track_in_domain(struct thread *thread, unsigned domain, uintptr_t address, size_t size_bytes,
                           const struct caller *caller) {
    struct block old, block = {size_bytes, track_cell(thread, caller, domain)};
    if (!tracked_put(domain, address, block, &old)) {
        image_lose(HT_LOSS_UNTRACKED_BLOCKS, 1);
        image_lose(HT_LOSS_UNTRACKED_BYTES, size_bytes);
        return FAILED;
    }
    count(thread, old, true);
    count(thread, block, false);
    return 0;
}

/* The heap's own blocks are known already, and get this stack and size. */
static void track_in_heap(void *block, size_t size_bytes, const struct caller *caller) {
    struct block old = track_forget(block);
    track_reallocated(old, block, size_bytes, caller);
}

int tracing_track(unsigned domain, uintptr_t address, size_t size_bytes, const struct caller *caller) {
    struct thread *thread;
    if (!tracing_is_active())
        return NOT_TRACING;
    if (domain == HT_DOMAIN_HEAP) {
        track_in_heap((void *)address, size_bytes, caller);
        return 0;
    }
    int failed = ENTER(&thread);
    if (failed != 0)
        return failed;
    int result = track_in_domain(thread, domain, address, size_bytes, caller);
    guard_leave(thread);
    return result;
}

int tracing_untrack(unsigned domain, uintptr_t address) {
    struct thread *thread;
    if (!tracing_is_active())
        return NOT_TRACING;
    if (domain == HT_DOMAIN_HEAP) {
        track_forgotten(track_forget((void *)address));
        return 0;
    }
    int failed = ENTER(&thread);
    if (failed != 0)
        return failed;
    count(thread, tracked_remove(domain, address), true);
    guard_leave(thread);
    return 0;
}

int tracing_name_domain(unsigned domain, const char *name) {
    track_begin();
    if (!track_ready())
        return NOT_TRACING;
    return contexts_name_domain(domain, name) ? 0 : FAILED;
}

/* ---- scopes and tags ---- */

static int set_context(struct thread *thread, uint32_t context) {
    if (context == CONTEXTS_FULL) {
        image_lose(HT_LOSS_CONTEXTS, 1);
        return FAILED;
    }
    guard_set_context(thread, context);
    return 0;
}

static int scope_begin(struct thread *thread, const char *name) {
    uint32_t at = thread->scope_count++;
    if (at >= SCOPES_MAX) {
        image_lose(HT_LOSS_CONTEXTS, 1);
        return FAILED;
    }
    thread->scopes[at] = thread->context;
    int failed = set_context(thread, contexts_with_scope(thread->context, name));
    if (failed == 0)
        contexts_begun(thread->context);
    return failed;
}

int tracing_scope_begin(const char *name) {
    struct thread *thread;
    int failed = ENTER(&thread);
    if (failed != 0)
        return failed;
    int result = scope_begin(thread, name);
    guard_leave(thread);
    return result;
}

/* A tag that was set inside of a scope ends with it. */
static int scope_end(struct thread *thread) {
    if (thread->scope_count == 0)
        return FAILED;
    uint32_t at = --thread->scope_count;
    return at < SCOPES_MAX ? set_context(thread, thread->scopes[at]) : 0;
}

int tracing_scope_end(void) {
    struct thread *thread;
    int failed = ENTER(&thread);
    if (failed != 0)
        return failed;
    int result = scope_end(thread);
    guard_leave(thread);
    return result;
}

int tracing_scope(const char *name, struct heaptally_scope *scope) {
    if (!tracing_is_active())
        return NOT_TRACING;
    uint32_t id = contexts_find_scope(name);
    if (id == 0)
        return FAILED;
    const struct ht_context *context = &image_contexts[id];
    uint64_t freed_bytes = __atomic_load_n(&context->freed_bytes, __ATOMIC_RELAXED);
    uint64_t frees = __atomic_load_n(&context->frees, __ATOMIC_RELAXED);
    scope->begun = __atomic_load_n(&context->begun, __ATOMIC_RELAXED);
    scope->allocations = __atomic_load_n(&context->allocations, __ATOMIC_RELAXED);
    scope->allocated_bytes = __atomic_load_n(&context->allocated_bytes, __ATOMIC_RELAXED);
    scope->live_blocks = scope->allocations - frees;
    scope->live_bytes = scope->allocated_bytes - freed_bytes;
    scope->peak_bytes = __atomic_load_n(&context->peak_bytes, __ATOMIC_RELAXED);
    return 0;
}

int tracing_set_tag(const char *tag) {
    struct thread *thread;
    int failed = ENTER(&thread);
    if (failed != 0)
        return failed;
    int result = set_context(thread, contexts_with_tag(thread->context, tag));
    guard_leave(thread);
    return result;
}
