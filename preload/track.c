/* track.c - see track.h. Who may count an event at all is the guard's business (guard.h). Blocks that a
 * handler allocates on top of the tracer have no stack (HT_STACK_UNATTRIBUTED).
 *
 * Owns:    nothing.
 * Threads: any.  Signals: safe.  Heap: never. */
#include "track.h"

#include "guard.h"
#include "happenings.h"

#include "image/cells.h"
#include "image/contexts.h"
#include "image/counters.h"
#include "image/image.h"
#include "image/modules.h"
#include "image/sample.h"
#include "image/stacks.h"
#include "platform/options.h"
#include "platform/sys.h"
#include "verify.h"
#include "unwind/cfi.h"

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
        if (likely(recent->count == stack->count))
            stacks_own(stack, recent->owner);
        return newest->cell = recent->cell;
    }
    uint32_t id = stacks_intern(stack, hash), cell = cells_find(thread, id);
    if (likely(cell != thread->overflow_cell)) {
        recent->cell = 0; /* a handler on top of this may never come back here */
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        recent->hash = hash;
        recent->owner = stacks_owner(stack, id);
        recent->count = stack->count;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        recent->cell = cell;
        newest->cell = cell;
    }
    return cell;
}

/* The cell of the caller's stack: walked. */
static __attribute__((noinline)) uint32_t walked_cell(struct thread *thread, const struct caller *caller) {
    struct call_stack *stack = &thread->stack;
    uint32_t nframe = __atomic_load_n(&options.nframe, __ATOMIC_RELAXED); /* heaptally_start may change it */
    if (unlikely(stack->nframe != nframe)) {
        call_stack_keep(stack, nframe);
        unwind_reset(stack);
    }
    unwind_walk(stack, caller);
    cells_follow(thread); /* behind the walk: what it still knows is of the epoch that is seen here, or will
                             be forgotten */
    if (stack->known != 0)
        return stack->known;
    uint32_t cell = stack_cell(thread, stack);
    if (unlikely(cell == thread->overflow_cell)) /* not remembered, so that each is counted */
        image_lose(HT_LOSS_OVERFLOW_ALLOCATIONS, 1);
    else
        unwind_remember(stack, cell);
    return cell;
}

/* The cell of the caller's stack, if it is the first that there is to look at; else *slot is for
 * current_cell. */
static inline __attribute__((always_inline)) bool
recalled_cell(struct thread *thread, const struct caller *caller, uint32_t *cell, uintptr_t *slot) {
#if defined(__x86_64__)
    return cfi_recall_first(&thread->stack, caller->pc, caller_sp(caller), caller->bp, cell, slot);
#else
    (void)thread, (void)caller, (void)cell;
    *slot = 0;
    return false;
#endif
}

/* The cell of the caller's stack. slot: as recalled_cell has left it; 0: it was not asked. */
static uint32_t current_cell(struct thread *thread, const struct caller *caller, uintptr_t slot) {
#if defined(__x86_64__)
    uint32_t cell = cfi_recall(&thread->stack, caller->pc, caller_sp(caller), caller->bp, slot);
    if (likely(cell != 0))
        return cell;
#else
    (void)slot;
#endif
    return walked_cell(thread, caller);
}

static enum blocks_put put_block(uintptr_t address, struct block block, struct block *old) {
    return options.sample_bytes != 0 ? blocks_put_counted(address, block, old)
                                     : blocks_put(address, block, old);
}

static void sweep(void);

/* Counts an event, or puts it off. happening: of HEAPTALLY_DETAILS, else null. */
static void count_event(struct thread *thread, struct block block, bool freed, bool nested,
                        const struct happening *happening) {
    if (nested)
        guard_defer(thread, block, freed, happening);
    else if (happening == NULL)
        counters_event(thread, block.cell, block.size_bytes, freed);
    else if (counters_detailed(thread, block.cell, block.size_bytes, freed, happening))
        sweep();
}

/* birth: of HEAPTALLY_DETAILS, else null. */
static void count_death(struct thread *thread, struct block old, bool nested, const struct birth *birth) {
    if (thread->details == NULL) {
        count_event(thread, old, true, nested, NULL);
        return;
    }
    struct happening happening = happening_died(birth);
    count_event(thread, old, true, nested, &happening);
}

/* Of the block that was entered at an address. */
static void count_death_at(struct thread *thread, uintptr_t address, struct block old, bool nested) {
    struct birth birth = {0};
    if (thread->details != NULL)
        birth = births_take(address, old.size_bytes);
    count_death(thread, old, nested, &birth);
}

static void count_birth(struct thread *thread, uintptr_t address, struct block block, bool nested,
                        const struct resized *resized) {
    if (thread->details == NULL) {
        count_event(thread, block, false, nested, NULL);
        return;
    }
    struct happening happening = happening_born(thread, address, block.size_bytes, nested, resized);
    count_event(thread, block, false, nested, &happening);
}

/* A block was entered at an address that has one. Either that one was freed behind our back, or it is this
 * very block: an allocator's function that calls another interposed one (calloc by malloc, say). The inner
 * call was this thread's last entry then, from a frame further down the stack, and has counted the block.
 * True: count the new one. */
static bool replaced(struct thread *thread, uintptr_t address, const struct caller *caller, struct block old,
                     bool nested) {
    struct block again;
    if (cells_is_retired(old.cell)) /* freed while nobody counted, or by whom it does not matter any more */
        return true;
    if (thread->last_block == address && thread->last_frame < (uintptr_t)caller) {
        blocks_put(address, old, &again);
        return false;
    }
    __atomic_fetch_add(&image_slots[thread->slot].lost_frees, 1, __ATOMIC_RELAXED);
    count_death_at(thread, address, old, nested);
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

/* The block by whichever way there is for it. */
static __attribute__((noinline)) void allocated_in_cell(struct thread *thread, uintptr_t address,
                                                        uint64_t size_bytes, uint32_t cell,
                                                        const struct caller *caller) {
    struct block old = {0, 0};
    enum blocks_put put = blocks_put(address, (struct block){size_bytes, cell}, &old);
    note_clipped(size_bytes);
    bool count = put == BLOCKS_PUT || settle_put(put, thread, address, size_bytes, caller, old, false);
    thread->last_block = address;
    thread->last_frame = (uintptr_t)caller;
    if (likely(count))
        counters_allocated(thread, cell, size_bytes);
    guard_leave(thread);
}

/* The block is at its small place. */
static __attribute__((noinline)) void count_allocated(struct thread *thread, uint32_t cell,
                                                      uint64_t size_bytes) {
    counters_allocated(thread, cell, size_bytes);
    guard_leave(thread);
}

/* The block at its small place. */
static inline __attribute__((always_inline)) void allocated_at(uint32_t *place, struct thread *thread,
                                                               uintptr_t address, uint64_t size_bytes,
                                                               uint32_t cell, const struct caller *caller) {
    if (unlikely(!blocks_near_put(place, address, (struct block){size_bytes, cell}))) {
        allocated_in_cell(thread, address, size_bytes, cell, caller);
        return;
    }
    thread->last_block = address;
    thread->last_frame = (uintptr_t)caller;
    if (likely(counters_allocated_soon(thread, cell, size_bytes)))
        guard_leave(thread);
    else
        count_allocated(thread, cell, size_bytes);
}

/* As allocated, when the stack is not the first that it looks at, or there is no small place. */
static __attribute__((noinline)) void allocated_at_length(struct thread *thread, uintptr_t address,
                                                          uint64_t size_bytes, const struct caller *caller,
                                                          uintptr_t slot) {
    blocks_near_note(&thread->near, address);
    uint32_t *place = size_bytes < BLOCKS_SMALL_LIMIT ? blocks_near_place(&thread->near, address) : NULL;
    uint32_t cell = current_cell(thread, caller, slot);
    if (likely(place != NULL))
        allocated_at(place, thread, address, size_bytes, cell, caller);
    else
        allocated_in_cell(thread, address, size_bytes, cell, caller);
}

/* Calls nothing but at its ends: so it needs no frame, and what it goes by stays in registers. The
 * guard was entered at `caller`; leaves it. */
static inline __attribute__((always_inline)) void
allocated(struct thread *thread, uintptr_t address, uint64_t size_bytes, const struct caller *caller) {
    uint32_t *place = blocks_near_place(&thread->near, address), cell;
    if (unlikely(place == NULL) || unlikely(size_bytes >= BLOCKS_SMALL_LIMIT)) {
        allocated_at_length(thread, address, size_bytes, caller, 0);
        return;
    }
    __builtin_prefetch(place, 1); /* the table is larger than any cache */
    uintptr_t slot;
    bool recalled = recalled_cell(thread, caller, &cell, &slot);
    caller = (const struct caller *)guard_frame();
    if (likely(recalled))
        allocated_at(place, thread, address, size_bytes, cell, caller);
    else
        allocated_at_length(thread, address, size_bytes, caller, slot);
}

/* Sampling: whether no point falls into a block that this thread allocates. */
static inline bool passed_by(uint64_t size_bytes) {
    guard.until -= (int64_t)(size_bytes | (size_bytes == 0));
    return likely(guard.until > 0);
}

/* Draws the next point, from the end of the block on. False: this was the thread's first draw, and passes the
 * block by. */
static bool draw(struct thread *thread, uint64_t size_bytes) {
    bool first = !guard.drawn;
    guard.drawn = true;
    guard.until = sample_distance(&thread->random);
    if (!first)
        return true;
    guard.until -= (int64_t)size_bytes;
    return guard.until <= 0 && draw(thread, 0);
}

static uint32_t verified_cell(struct thread *thread, const struct caller *caller) {
    uint32_t cell = current_cell(thread, caller, 0);
    if (unlikely(guard_verifying()) && !cells_is_retired(cell))
        verify_stack(thread, cells_stack(cell));
    return thread->context != 0 ? cells_in_context(thread, cell, thread->context) : cell;
}

/* resized: what it was before a realloc, of HEAPTALLY_DETAILS; null: not by a realloc. */
static void allocated_in(struct thread *thread, uintptr_t address, uint64_t size_bytes,
                         const struct caller *caller, bool nested, const struct resized *resized) {
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
    if (count)
        count_birth(thread, address, block, nested, resized);
}

static __attribute__((noinline)) void allocated_slowly(void *block, size_t size_bytes,
                                                       const struct caller *caller) {
    struct thread *thread;
    bool nested;
    if (!guard_enter_slowly((uintptr_t)__builtin_frame_address(0), &thread, &nested))
        return;
    if (thread == NULL)
        lose_block(size_bytes);
    else
        allocated_in(thread, (uintptr_t)block, size_bytes, caller, nested, NULL);
    if (!nested)
        guard_leave(thread);
}

static __attribute__((noinline)) void allocated_exactly(void *block, size_t size_bytes,
                                                        const struct caller *caller) {
    struct thread *thread;
    if (likely(guard_enter((uintptr_t)caller, &thread)))
        allocated(thread, (uintptr_t)block, size_bytes, caller);
    else
        allocated_slowly(block, size_bytes, caller);
}

/* The parting of the ways, without a frame of its own. */
void track_allocated(void *block, size_t size_bytes, const struct caller *caller) {
    uint32_t word = guard_word();
    if (likely(word == GUARD_OWN))
        allocated_exactly(block, size_bytes, caller);
    else if (word != GUARD_SAMPLED || !passed_by(size_bytes))
        allocated_slowly(block, size_bytes, caller);
}

void track_allocated_once(void *block, size_t size_bytes, const struct caller *caller) {
    if (!track_ready() || !blocks_known((uintptr_t)block))
        track_allocated(block, size_bytes, caller);
}

/* ---- free ---- */

/* One takes some 100 us, most of it in the kernel. */
#define SWEEP_LEAVES 4u

static struct block take_out(const void *block) {
    return options.sample_bytes != 0 ? blocks_remove_counted((uintptr_t)block)
                                     : blocks_remove((uintptr_t)block);
}

static void count_unmatched(struct thread *thread) {
    /* once traces were cleared there are blocks that nobody knows, and nothing is wrong with their frees */
    if (options.sample_bytes == 0 && __atomic_load_n(&cells_epoch, __ATOMIC_RELAXED) == 0)
        __atomic_fetch_add(&image_slots[thread->slot].unmatched_frees, 1, __ATOMIC_RELAXED);
}

/* The block is free: counts it, or that it was none of ours. A sweep can wait. */
static inline void count_free(struct thread *thread, struct block old) {
    if (unlikely(old.cell == 0))
        count_unmatched(thread);
    else if (unlikely(!counters_freed_soon(thread, &old.cell, old.size_bytes)))
        (void)counters_freed(thread, old.cell, old.size_bytes);
}

/* The same of a block that track_forget took out. */
static void count_forgotten(struct thread *thread, bool nested, struct block old, struct resized *resized) {
    struct birth birth = {0};
    if (thread->details != NULL)
        birth = happening_recall(thread, old, resized);
    if (old.cell == 0)
        count_unmatched(thread);
    else
        count_death(thread, old, nested, &birth);
}

/* No thread state, no cell. */
static void lose_free(struct block old) {
    if (old.cell != 0)
        image_lose(HT_LOSS_FREES, 1);
}

/* known: it has been taken out of the table before, and was that. */
static __attribute__((noinline)) void freed_slowly(const void *block, const struct block *known) {
    struct thread *thread;
    bool nested;
    if (!guard_enter_slowly((uintptr_t)__builtin_frame_address(0), &thread, &nested))
        return;
    struct resized resized;
    struct block old = known != NULL ? *known : take_out(block);
    if (thread == NULL)
        lose_free(old);
    else if (known != NULL)
        count_forgotten(thread, nested, old, &resized);
    else if (old.cell == 0)
        count_unmatched(thread);
    else
        count_death_at(thread, (uintptr_t)block, old, nested);
    if (!nested)
        guard_leave(thread);
}

static __attribute__((noinline)) void sweep(void) {
    counters_swept(blocks_sweep(SWEEP_LEAVES));
}

/* The block is out of the table. */
static __attribute__((noinline)) void freed_of_cell(struct thread *thread, uint32_t cell,
                                                    uint64_t size_bytes) {
    if (unlikely(counters_freed(thread, cell, size_bytes)))
        sweep();
    guard_leave(thread);
}

/* The block is at no small place that this thread knows. */
static __attribute__((noinline)) void freed_at_length(struct thread *thread, uintptr_t address) {
    blocks_near_note(&thread->near, address);
    struct block old = blocks_remove(address);
    if (likely(old.cell != 0)) {
        freed_of_cell(thread, old.cell, old.size_bytes);
        return;
    }
    count_unmatched(thread);
    guard_leave(thread);
}

/* As `allocated`: calls nothing but at its ends. */
static __attribute__((noinline)) void freed_exactly(const void *block) {
    struct thread *thread;
    struct block old;
    if (unlikely(!guard_enter((uintptr_t)__builtin_dwarf_cfa(), &thread)))
        freed_slowly(block, NULL);
    else if (unlikely(!blocks_near_remove(&thread->near, (uintptr_t)block, &old)))
        freed_at_length(thread, (uintptr_t)block);
    else if (unlikely(!counters_freed_soon(thread, &old.cell, old.size_bytes)))
        freed_of_cell(thread, old.cell, old.size_bytes);
    else
        guard_leave(thread);
}

void track_freed(void *block) {
    uint32_t word = guard_word();
    if (likely(word == GUARD_OWN))
        freed_exactly(block);
    else if (word != GUARD_SAMPLED || !blocks_none_near((uintptr_t)block))
        freed_slowly(block, NULL);
}

static __attribute__((noinline)) struct block forget_slowly(void *block) {
    struct thread *thread;
    bool nested = false;
    if (guard_word() == GUARD_SAMPLED && blocks_none_near((uintptr_t)block))
        return (struct block){0, 0};
    if (!guard_enter_slowly((uintptr_t)__builtin_frame_address(0), &thread, &nested))
        return (struct block){0, 0};
    struct block old = take_out(block);
    if (thread != NULL)
        thread->last_block = 0;
    if (thread != NULL && thread->details != NULL)
        happening_forget(thread, (uintptr_t)block, old);
    if (!nested)
        guard_leave(thread);
    return old;
}

struct block track_forget(void *block) {
    struct thread *thread;
    if (unlikely(!guard_enter_exactly(&thread)))
        return forget_slowly(block);
    struct block old;
    if (unlikely(!blocks_near_remove(&thread->near, (uintptr_t)block, &old)))
        old = blocks_remove((uintptr_t)block);
    thread->last_block = 0;
    guard_leave(thread);
    return old;
}

void track_forgotten(struct block old) {
    struct thread *thread;
    if (unlikely(!guard_enter_exactly(&thread))) {
        if (old.cell != 0 || guard_word() != GUARD_SAMPLED)
            freed_slowly(NULL, &old);
        return;
    }
    count_free(thread, old);
    guard_leave(thread);
}

/* ---- realloc ---- */

static void reallocated_in_detail(struct block old, void *block, size_t size_bytes,
                                  const struct caller *caller) {
    struct thread *thread;
    struct resized resized;
    bool nested;
    if (!guard_enter_slowly((uintptr_t)__builtin_frame_address(0), &thread, &nested))
        return;
    if (thread == NULL) {
        lose_free(old);
        lose_block(size_bytes);
    } else {
        count_forgotten(thread, nested, old, &resized);
        allocated_in(thread, (uintptr_t)block, size_bytes, caller, nested,
                     thread->details != NULL ? &resized : NULL);
    }
    if (!nested)
        guard_leave(thread);
}

static __attribute__((noinline)) void reallocated_slowly(struct block old, void *block, size_t size_bytes,
                                                         const struct caller *caller) {
    if (options.details) {
        reallocated_in_detail(old, block, size_bytes, caller);
        return;
    }
    track_forgotten(old);
    track_allocated(block, size_bytes, caller);
}

void track_reallocated(struct block old, void *block, size_t size_bytes, const struct caller *caller) {
    struct thread *thread;
    if (unlikely(guard_word() != GUARD_OWN) || unlikely(!guard_enter((uintptr_t)caller, &thread))) {
        reallocated_slowly(old, block, size_bytes, caller);
        return;
    }
    count_free(thread, old);
    allocated(thread, (uintptr_t)block, size_bytes, caller);
}

void track_restore(struct block old, void *block) {
    struct thread *thread;
    struct block none;
    bool nested;
    if ((old.cell == 0 && !options.details) ||
        !guard_enter_slowly((uintptr_t)__builtin_frame_address(0), &thread, &nested))
        return;
    if (thread != NULL && thread->details != NULL)
        happening_restore(thread, (uintptr_t)block, old);
    if (old.cell != 0)
        put_block((uintptr_t)block, old, &none);
    if (!nested)
        guard_leave(thread);
}

/* ---- the rest ---- */

/* ---- blocks that a program names itself ---- */

uint32_t track_cell(struct thread *thread, const struct caller *caller, uint32_t domain) {
    uint32_t context = contexts_with_domain(thread->context, domain), cell = current_cell(thread, caller, 0);
    if (context != CONTEXTS_FULL)
        return context != 0 ? cells_in_context(thread, cell, context) : cell;
    image_lose(HT_LOSS_CONTEXTS, 1);
    return cell;
}

void track_mute(void) {
    guard.inside += GUARD_MUTED;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void track_unmute(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    guard.inside -= GUARD_MUTED;
}

void track_code_unmapped(void) {
    struct thread *thread;
    bool nested;
    if (!guard_enter_slowly((uintptr_t)__builtin_frame_address(0), &thread, &nested))
        return;
    modules_sweep();
    unwind_forget();
    if (!nested)
        guard_leave(thread);
}
