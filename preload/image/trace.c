/* trace.c - see trace.h.
 * Owns:    nothing but the threads' frame arrays.
 * Threads: each its own.  Signals: no.  Heap: never. */
#include "trace.h"

#include "../platform/arena.h"
#include "image.h"
#include "modules.h"

uintptr_t trace_signal_return;

bool trace_open(struct trace *self, uint32_t capacity) {
    self->frames = arena_map(capacity * sizeof *self->frames);
    self->capacity = capacity;
    self->count = 0;
    return self->frames != NULL;
}

field trace_hash(const struct trace *self) {
    return self->count != 0 ? field_canonical(self->frames[self->count - 1].prefix) : 1;
}

/* The frame that was interrupted lies below the return from the handler. */
static inline uint64_t coded(const uintptr_t *pcs, uint32_t count, uint32_t at) {
    bool exact = at + 1 < count && __builtin_expect(pcs[at + 1] == trace_signal_return, 0);
    return (pcs[at] & ~TRACE_EXACT) | (exact ? TRACE_EXACT : 0);
}

/* Frames [from, to) anew, from pcs[0..to). Not inlined: the multiplication wants the registers. */
static __attribute__((noinline)) void set_frames(struct trace_frame *frames, uint32_t from, uint32_t to,
                                                 const uintptr_t *pcs) {
    field key = ((field)image_header->hash_key[1] << 64) | image_header->hash_key[0];
    field prefix = from != 0 ? frames[from - 1].prefix : 1;
    for (uint32_t i = from; i < to; i++) {
        uint64_t pc = coded(pcs, to, i);
        uint32_t salt = modules_salt((uintptr_t)(pc & ~TRACE_EXACT));
        prefix = field_multiply_add(prefix, key, (field)pc + 1 + ((field)salt << 64));
        frames[i] = (struct trace_frame){.prefix = prefix, .pc = pc, .salt = salt};
    }
}

/* How many of the oldest kept frames need not even be compared. The newest shared one does: whether it was
 * interrupted depends on the frame above it. */
static uint32_t unchanged(const struct trace *self, uint32_t cut, uint32_t shared) {
    if (self->depth - self->count != cut || shared <= cut + 1)
        return 0;
    uint32_t same = shared - cut - 1;
    return same < self->count ? same : self->count;
}

void trace_set(struct trace *self, const uintptr_t *pcs, uint32_t count, uint32_t shared) {
    uint32_t generation = __atomic_load_n(&modules_generation, __ATOMIC_ACQUIRE);
    if (generation != self->generation) {
        self->generation = generation;
        self->count = self->depth = 0;
    }
    uint32_t kept = count < self->capacity ? count : self->capacity, cut = count - kept;
    uint32_t i = unchanged(self, cut, shared);
    while (i < kept && i < self->count && self->frames[i].pc == coded(pcs, count, cut + i))
        i++;
    set_frames(self->frames, i, kept, pcs + cut);
    self->count = kept;
    self->depth = count;
}
