/* threads.c - see threads.h.
 * Owns:    SLOTS, `states`.
 * Threads: any, lock-free.  Signals: no.  Heap: never. */
#include "threads.h"

#include "../platform/arena.h"
#include "../platform/options.h"
#include "../platform/sys.h"
#include "cells.h"
#include "counters.h"
#include "image.h"

#include <stddef.h>

#define SLOTS_MAX 32768u
#define PROBES    8u

static struct thread *states[SLOTS_MAX]; /* (atomic) by slot */
static uint32_t probe_next;              /* (atomic) slot - 1 where the search for dead threads goes on */
static uint32_t exhausted;               /* (atomic) no room for a slot, and tables never shrink */

static uint32_t slot_bound(void) {
    uint64_t used = __atomic_load_n(&image_header->regions[HT_REGION_SLOTS].used_records, __ATOMIC_RELAXED);
    return used < SLOTS_MAX ? (uint32_t)used : SLOTS_MAX;
}

/* ---- slots ---- */

/* The private state of a slot that has none yet. Null: no memory. */
static struct thread *new_state(uint32_t slot) {
    struct stack_hash point = {image_header->hash_key[0], image_header->hash_key[1]};
    struct thread *self = arena_take(sizeof *self);
    if (self == NULL || !cells_open(self))
        return NULL;
    self->slot = slot;
    blocks_near_open(&self->near);
    self->epoch = __atomic_load_n(&cells_epoch, __ATOMIC_ACQUIRE); /* partner: cells_retire */
    /* entered like any stack's, so that blocks of these stacks are counted in these very cells */
    self->overflow_cell = cells_find(self, HT_STACK_OVERFLOW);
    self->unattributed_cell = cells_find(self, HT_STACK_UNATTRIBUTED);
    self->unattributed_mapping = cells_of_unattributed_mappings(self);
    if (self->overflow_cell == 0 || self->unattributed_cell == self->overflow_cell)
        return NULL;
    self->recents = arena_map(sizeof *self->recents << RECENT_BITS);
    if (options.details && (self->details = arena_take(sizeof *self->details)) == NULL)
        return NULL;
    if (self->recents == NULL ||
        !call_stack_open(&self->stack, __atomic_load_n(&options.nframe, __ATOMIC_RELAXED), point))
        return NULL;
    return self;
}

/* Who holds a slot, and as the how-manieth thread: one word, for a tid alone comes back. Between the question
 * whether it is gone and the exchange a thread may inherit the slot and end, and the next one be given the
 * old tid. */
union holder {
    struct {
        uint32_t tid, threads;
    };
    uint64_t word;
};
_Static_assert(offsetof(struct ht_slot, threads) == offsetof(struct ht_slot, tid) + sizeof(uint32_t) &&
                   offsetof(struct ht_slot, tid) % sizeof(uint64_t) == 0,
               "they are a word");

typedef uint64_t __attribute__((may_alias)) holder_word;

static bool try_inherit(uint32_t slot, uint32_t tid) {
    holder_word *record = (holder_word *)&image_slots[slot].tid;
    /* acquire: who is named here was there before; the kernel is asked after that */
    union holder owner = {.word = __atomic_load_n(record, __ATOMIC_ACQUIRE)};
    union holder heir = {.tid = tid, .threads = owner.threads + 1};
    if (__atomic_load_n(&states[slot], __ATOMIC_RELAXED) == NULL)
        return false;
    if (owner.tid != 0 && owner.tid != tid && sys_thread_exists(sys_pid(), owner.tid))
        return false;
    /* acquire: the dead thread's stores are visible, the kernel ordered its end before our ESRCH */
    if (!__atomic_compare_exchange_n(record, &owner.word, heir.word, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return false;
    if (owner.tid == 0) /* free since a fork: it was not among those in use */
        counters_thread_joined();
    return true;
}

/* A slot whose thread is gone, or 0. Looks at a few: at the one that was inherited last, whose thread may be
 * gone again, and at the next ones; in vain, and the search goes on behind them. So it lingers among threads
 * that come and go, and crosses those that stay once. A store by another thread at the same time is as good.
 */
static uint32_t inherit_slot(uint32_t tid) {
    uint32_t count = slot_bound() - 1, probes = count < PROBES ? count : PROBES;
    uint32_t at = __atomic_load_n(&probe_next, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < probes; i++, at++) {
        if (at >= count)
            at = 0;
        if (try_inherit(1 + at, tid)) {
            __atomic_store_n(&probe_next, at, __ATOMIC_RELAXED);
            return 1 + at;
        }
    }
    __atomic_store_n(&probe_next, at, __ATOMIC_RELAXED);
    return 0;
}

static struct thread *new_slot(uint32_t tid) {
    /* A thread without a slot asks again at each event, for one to inherit: it must not use up more. */
    if (slot_bound() >= SLOTS_MAX || __atomic_load_n(&exhausted, __ATOMIC_RELAXED) != 0)
        return NULL;
    uint64_t slot = image_take(HT_REGION_SLOTS, 1);
    if (slot == 0 || slot >= SLOTS_MAX)
        return NULL;
    __atomic_store_n(&image_slots[slot].tid, tid, __ATOMIC_RELAXED);
    __atomic_store_n(&image_slots[slot].threads, 1, __ATOMIC_RELAXED);
    struct thread *self = new_state((uint32_t)slot);
    if (self == NULL) {
        __atomic_store_n(&exhausted, 1, __ATOMIC_RELAXED);
        return NULL;
    }
    counters_thread_joined();
    __atomic_store_n(&states[slot], self, __ATOMIC_RELEASE); /* partner: try_inherit and its caller */
    return self;
}

struct thread *threads_claim(void) {
    /* A vfork child shares our memory: to tgkill under its pid all our threads are dead, and once it has
     * exec'ed a slot of its tid would be anybody's, while the parent's thread goes on with it. */
    if (sys_pid() != image_header->pid)
        return NULL;
    uint32_t tid = sys_tid(), slot = inherit_slot(tid);
    struct thread *self = slot != 0 ? __atomic_load_n(&states[slot], __ATOMIC_ACQUIRE) : new_slot(tid);
    if (self == NULL)
        return NULL;
    if (slot != 0)
        unwind_reset(&self->stack);
    self->context = self->scope_count = 0; /* of the thread that had the slot */
    self->random = image_header->hash_key[0] + ((uint64_t)image_header->pid << 32) + tid;
    return self;
}

uint64_t threads_allocations(uint32_t slot) {
    const struct thread *state = slot < SLOTS_MAX ? __atomic_load_n(&states[slot], __ATOMIC_ACQUIRE) : NULL;
    return state != NULL && state->details != NULL
               ? __atomic_load_n(&state->details->allocations, __ATOMIC_RELAXED)
               : 0;
}

/* Only the forking thread is left, and its tid is the child's pid. Where the first event is another's, a new
 * thread's, the survivor still has a slot of the parent's that nobody can tell: all of them stay its own.
 * What handlers had put off is among the blocks that the child counts anew. */
void threads_after_fork(struct thread *self) {
    uint32_t owner = self == NULL ? sys_pid() : 0;
    for (uint32_t slot = 1; slot < slot_bound(); slot++) {
        image_slots[slot] = (struct ht_slot){.tid = owner};
        if (__atomic_load_n(&states[slot], __ATOMIC_RELAXED) != NULL)
            states[slot]->deferred_count = 0;
    }
    image_header->totals.slots_in_use = 1;
    if (self == NULL)
        return;
    image_slots[self->slot].tid = sys_tid();
    image_slots[self->slot].threads = 1;
    self->random += (uint64_t)image_header->pid << 32;
}
