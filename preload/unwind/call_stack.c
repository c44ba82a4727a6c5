/* call_stack.c - see call_stack.h.
 * Owns:    nothing but the threads' frame arrays.
 * Threads: each its own.  Signals: no.  Heap: never. */
#include "call_stack.h"

#include "cfi.h"

#include "../platform/arena.h"

#include <stddef.h>
#include <string.h>

#define ADDRESS (((uint64_t)1 << 48) - 1) /* what the hash has room for: all that can be code */

uintptr_t call_stack_signal_return;

bool call_stack_open(struct call_stack *self, uint32_t nframe, struct stack_hash point) {
    uint32_t capacity = nframe + STACK_FRAMES_BELOW;
    if (capacity > STACK_FRAMES_MAX)
        capacity = STACK_FRAMES_MAX;
    *self = (struct call_stack){.nframe = nframe, .capacity = capacity, .point = point, .cfi = &cfi_none};
    self->window_power =
        (struct stack_hash){stack_hash_raised(point.a, nframe), stack_hash_raised(point.b, nframe)};
    struct stack_frame *all = arena_map((capacity + 1) * sizeof *all);
    self->scratch = arena_map(capacity * sizeof *self->scratch);
    if (all == NULL || self->scratch == NULL)
        return false;
    all[0].prefix = (struct stack_hash){1, 1};
    self->frames = all + 1;
    return true;
}

void call_stack_keep(struct call_stack *self, uint32_t nframe) {
    struct call_stack wider;
    uint32_t most =
        self->capacity < STACK_FRAMES_MAX ? self->capacity - STACK_FRAMES_BELOW : STACK_FRAMES_MAX;
    if (nframe <= most) {
        self->nframe = nframe;
        self->window_power = (struct stack_hash){stack_hash_raised(self->point.a, nframe),
                                                 stack_hash_raised(self->point.b, nframe)};
    } else if (call_stack_open(&wider, nframe, self->point)) {
        *self = wider;
    }
}

/* How the kernel has a handler return: mov $15, %rax; syscall, or mov x8, #139; svc 0. */
bool call_stack_returns_from_signal(uintptr_t pc) {
#if defined(__x86_64__)
    static const unsigned char code[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
#else
    static const unsigned char code[] = {0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4};
#endif
    _Static_assert(sizeof code <= SIGNAL_RETURN_BYTES, "no more is readable");
    return memcmp((const void *)pc, code, sizeof code) == 0;
}

/* The frame that was interrupted lies below the return from the handler. */
static uint64_t coded(const uintptr_t *newest_first, uint32_t at) {
    uintptr_t signal_return = __atomic_load_n(&call_stack_signal_return, __ATOMIC_RELAXED);
    bool exact = at != 0 && signal_return != 0 && newest_first[at - 1] == signal_return;
    return (newest_first[at] & ADDRESS) | (exact ? STACK_EXACT : 0);
}

/* *same: all frames below are as they were; stays true while this is too. */
static void put(struct call_stack *self, uint32_t at, uint64_t coded_pc, bool *same) {
    struct stack_frame *frame = &self->frames[at];
    *same = *same && at < self->count && frame->pc == coded_pc;
    if (!*same)
        call_stack_fill(frame, frame[-1].prefix, self->point, coded_pc, call_stack_salt(coded_pc));
}

void call_stack_set(struct call_stack *self, const uintptr_t *newest_first, uint32_t count) {
    uint32_t generation = __atomic_load_n(&reused_code_generation, __ATOMIC_ACQUIRE);
    bool same = true;
    if (generation != self->generation)
        self->count = 0;
    self->generation = generation;
    for (uint32_t at = 0; at < count; at++)
        put(self, at, coded(newest_first, count - 1 - at), &same);
    self->count = count;
    self->cut = false;
    self->known = 0;
}

struct stack_hash call_stack_hash(const struct call_stack *self) {
    uint32_t first = call_stack_first(self), count = self->count;
    struct stack_hash whole = count != 0 ? self->frames[count - 1].prefix : (struct stack_hash){1, 1};
    if (first == 0)
        return stack_hash_canonical(whole);
    struct stack_hash below = self->frames[first - 1].prefix, power = self->window_power;
    return (struct stack_hash){stack_hash_without(whole.a, below.a, power.a),
                               stack_hash_without(whole.b, below.b, power.b)};
}
