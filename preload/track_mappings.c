/* track_mappings.c - see track_mappings.h. Ranges that a handler maps on top of the tracer have no stack
 * (HT_STACK_UNATTRIBUTED).
 *
 * Owns:    nothing.
 * Threads: any.  Signals: safe.  Heap: never. */
#include "track_mappings.h"

#include "guard.h"
#include "track.h"

#include "image/counters.h"
#include "image/image.h"
#include "unwind/unwind.h"

/* Who is inside the tracer, and how. */
struct visit {
    struct thread *thread; /* null: this thread has no slot */
    bool nested;
};

static bool enter(struct visit *self) {
    return guard_enter_slowly((uintptr_t)__builtin_frame_address(0), &self->thread, &self->nested);
}

static void leave(const struct visit *self) {
    if (!self->nested)
        guard_leave(self->thread);
}

static void lose(uint64_t bytes) {
    image_lose(HT_LOSS_UNTRACKED_BLOCKS, 1);
    image_lose(HT_LOSS_UNTRACKED_BYTES, bytes);
}

/* A mappings_count. */
static void count(void *to, uint32_t cell, uint32_t blocks, uint64_t size_bytes, bool freed) {
    const struct visit *self = to;
    if (self->thread == NULL)
        image_lose(freed ? HT_LOSS_FREES : HT_LOSS_UNTRACKED_BLOCKS, blocks);
    else if (self->nested)
        guard_defer_mapping(self->thread, cell, blocks, size_bytes, freed);
    else
        counters_mapping(self->thread, cell, blocks, size_bytes, freed);
}

/* A mappings_count: the piece was unmapped by a way that we do not see. Of a retired cell: while nobody
 * counted. */
static void count_replaced(void *to, uint32_t cell, uint32_t blocks, uint64_t size_bytes, bool freed) {
    const struct visit *self = to;
    if (freed && !cells_is_retired(cell))
        __atomic_fetch_add(&image_slots[self->thread->slot].lost_frees, 1, __ATOMIC_RELAXED);
    count(to, cell, blocks, size_bytes, freed);
}

static void mapped(struct visit *self, uintptr_t start, size_t bytes, const struct caller *caller) {
    struct mappings_taken replaced;
    uint32_t cell =
        self->nested ? self->thread->unattributed_mapping : track_cell(self->thread, caller, HT_DOMAIN_MMAP);
    if (!mappings_enter(start, start + bytes, cell, &replaced)) {
        lose(bytes);
        return;
    }
    mappings_release(replaced, count_replaced, self);
    count(self, cell, 1, bytes, false);
}

void track_mapped(uintptr_t start, size_t bytes, const struct caller *caller) {
    struct visit self;
    if (!enter(&self))
        return;
    if (self.nested && unwind_is_of_library(unwind_unsigned(caller->pc))) /* for a walk of ours */
        return;
    if (self.thread != NULL)
        mapped(&self, start, bytes, caller);
    else
        lose(bytes);
    leave(&self);
}

struct mappings_taken track_unmapping(uintptr_t start, size_t bytes) {
    struct mappings_taken taken = {0, 0};
    struct visit self;
    if (start + bytes < start || !enter(&self))
        return taken;
    if (!mappings_take(start, start + bytes, &taken))
        image_lose(HT_LOSS_FREES, 1);
    leave(&self);
    return taken;
}

/* A mappings_count, where tracing has stopped in between. */
static void count_nothing(void *to, uint32_t cell, uint32_t blocks, uint64_t size_bytes, bool freed) {
    (void)to;
    (void)cell;
    (void)blocks;
    (void)size_bytes;
    (void)freed;
}

void track_unmapped(struct mappings_taken taken) {
    struct visit self;
    if (taken.first == 0)
        return;
    bool counts = enter(&self);
    mappings_release(taken, counts ? count : count_nothing, &self);
    if (counts)
        leave(&self);
}

void track_still_mapped(struct mappings_taken taken, bool check) {
    struct visit self;
    if (taken.first == 0)
        return;
    bool counts = enter(&self);
    uint64_t lost = mappings_restore(taken, check, counts ? count : count_nothing, &self);
    if (lost != 0)
        lose(lost);
    if (counts)
        leave(&self);
}
