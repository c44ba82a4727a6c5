/* happenings.c - see happenings.h.
 *
 * What a thread has forgotten is a stack: handlers on top of a realloc end theirs before it goes on. One that
 * jumps out leaves an entry, which the next end of an older one drops.
 *
 * Owns:    `details` of each thread.
 * Threads: each its own.  Signals: safe.  Heap: never. */
#include "happenings.h"

#include "image/image.h"
#include "image/thread.h"
#include "image/threads.h"

static enum resizing resizing_of(uintptr_t address, uint64_t size_bytes, const struct resized *before) {
    if (before == NULL || before->address == 0)
        return RESIZING_NONE;
    if (before->address != address)
        return RESIZING_MOVED;
    if (!before->known || before->size_bytes == size_bytes)
        return RESIZING_KEPT;
    return before->size_bytes < size_bytes ? RESIZING_GROWN : RESIZING_SHRUNK;
}

static uint64_t copied(uint64_t size_bytes, const struct resized *before) {
    if (before == NULL || !before->known)
        return 0;
    return before->size_bytes < size_bytes ? before->size_bytes : size_bytes;
}

struct happening happening_born(struct thread *thread, uintptr_t address, uint64_t size_bytes, bool nested,
                                const struct resized *resized) {
    uint64_t number = thread->details->allocations + 1;
    struct happening self = {.now_ns = details_now(),
                             .resizing = resizing_of(address, size_bytes, resized),
                             .copied_bytes = copied(size_bytes, resized)};
    self.birth = (struct birth){.time_ns = self.now_ns,
                                .number = number % BIRTHS_NUMBERS,
                                .waste_bytes = nested ? 0 : births_waste((void *)address, size_bytes),
                                .slot = thread->slot};
    if (!nested)
        __atomic_store_n(&thread->details->allocations, number, __ATOMIC_RELAXED);
    if (!births_put(address, size_bytes, &self.birth)) {
        self.birth.slot = 0;
        image_lose(HT_LOSS_BIRTHS, 1);
    }
    return self;
}

struct happening happening_died(const struct birth *birth) {
    struct happening self = {.birth = *birth, .now_ns = details_now()};
    if (birth->slot == 0)
        return self;
    /* A handler's blocks are numbered before they are counted: such a one may seem to come after all. */
    uint64_t later = (threads_allocations(birth->slot) - birth->number) % BIRTHS_NUMBERS;
    self.later = later < BIRTHS_NUMBERS / 2 ? later : 0;
    return self;
}

/* ---- realloc ---- */

void happening_forget(struct thread *thread, uintptr_t address, struct block old) {
    struct thread_details *details = thread->details;
    uint32_t at = details->forgotten_count < FORGOTTEN_MAX ? details->forgotten_count : 0;
    details->forgotten_count = at + 1; /* first: a handler takes the next */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    details->forgotten[at] =
        (struct forgotten){.address = address, .size_bytes = old.size_bytes, .cell = old.cell};
    if (old.cell != 0)
        details->forgotten[at].birth = births_take(address, old.size_bytes);
}

/* Takes the newest of `old` off the stack, and what lies on top of it. False: there is none. */
static bool recall(struct thread_details *details, struct block old, struct forgotten *entry) {
    for (uint32_t at = details->forgotten_count; at-- > 0;)
        if (details->forgotten[at].cell == old.cell && details->forgotten[at].size_bytes == old.size_bytes) {
            *entry = details->forgotten[at];
            __atomic_signal_fence(__ATOMIC_SEQ_CST);
            details->forgotten_count = at;
            return true;
        }
    return false;
}

struct birth happening_recall(struct thread *thread, struct block old, struct resized *resized) {
    struct forgotten entry = {0};
    *resized = (struct resized){0};
    if (recall(thread->details, old, &entry))
        *resized = (struct resized){entry.address, entry.size_bytes, entry.cell != 0};
    return entry.birth;
}

void happening_restore(struct thread *thread, uintptr_t address, struct block old) {
    struct forgotten entry;
    if (recall(thread->details, old, &entry) && entry.birth.slot != 0)
        births_put(address, old.size_bytes, &entry.birth);
}
