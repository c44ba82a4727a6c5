/* stacks.c - see stacks.h.
 *
 * A new stack stores only the frames above the longest prefix that a known stack owns; measured over
 * python, sqlite and cc1plus that is 4 to 7 frames of 56 to 69.
 *
 * Publication: reserve the record and its frames, fill both, store hash_lo with release, enter the index.
 * A reader that finds hash_lo == 0 skips the record: its writer was interrupted or killed.
 *
 * Owns:    STACKS, FRAMES.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "stacks.h"

#include "image.h"
#include "index.h"
#include "pcs.h"
#include "trace.h"

#include <stdbool.h>

static struct index by_hash;

struct key {
    uint64_t low, high;
};

/* hash_lo == 0 means unpublished; that one value in 2^64 shares its id space with 1. */
static struct key key_of(field hash) {
    uint64_t low = (uint64_t)hash;
    return (struct key){low != 0 ? low : 1, (uint64_t)(hash >> 64)};
}

static bool same_stack(uint32_t id, const void *key) {
    const struct key *wanted = key;
    return image_stacks[id].hash_lo == wanted->low && image_stacks[id].hash_hi == wanted->high;
}

static void publish(struct ht_stack *stack, const struct key *key) {
    stack->hash_hi = key->high;
    /* release: partner of the acquire load in readers, and of the one in index.c's probe */
    __atomic_store_n(&stack->hash_lo, key->low, __ATOMIC_RELEASE);
}

bool stacks_begin(void) {
    if (image_take(HT_REGION_STACKS, HT_STACK_FIRST - 1) == 0)
        return false;
    for (uint32_t id = HT_STACK_OVERFLOW; id < HT_STACK_FIRST; id++)
        publish(&image_stacks[id], &(struct key){id, UINT64_MAX}); /* no field value is that high */
    return true;
}

/* How many of the trace's outermost frames a known stack owns. */
static uint32_t owned_frames(const struct trace *trace) {
    uint32_t count = trace->count;
    while (count != 0 && trace->frames[count - 1].owner == 0)
        count--;
    return count;
}

/* The stack that itself stores the frame below `kept`: the owner, or the base that it has it from. */
static uint32_t base_for(const struct trace *trace, uint32_t kept) {
    if (kept == 0)
        return HT_STACK_NONE;
    uint32_t base = trace->frames[kept - 1].owner;
    while (image_stacks[base].kept >= kept)
        base = image_stacks[base].base;
    return base;
}

static bool store_frames(const struct trace *trace, uint32_t kept, uint32_t *first_frame) {
    uint32_t count = trace->count - kept;
    uint64_t first = image_take(HT_REGION_FRAMES, count);
    if (first == 0 || first + count > UINT32_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct trace_frame *frame = &trace->frames[kept + i];
        uint32_t pc = pcs_intern(frame->pc & ~TRACE_EXACT, frame->salt);
        if (pc == 0)
            return false;
        image_frames[first + i] = pc | ((frame->pc & TRACE_EXACT) != 0 ? HT_FRAME_EXACT : 0);
    }
    *first_frame = (uint32_t)first;
    return true;
}

/* Records a stack seen for the first time; 0 when there is no room. */
static uint32_t record(const struct trace *trace, const struct key *key) {
    uint32_t kept = owned_frames(trace), first_frame = 0;
    if (kept < trace->count && !store_frames(trace, kept, &first_frame))
        return 0;
    uint64_t id = image_take(HT_REGION_STACKS, 1);
    if (id == 0)
        return 0;
    struct ht_stack *stack = &image_stacks[id];
    stack->base = base_for(trace, kept);
    stack->first_frame = first_frame;
    stack->kept = (uint16_t)kept;
    stack->frame_count = (uint16_t)trace->count;
    stack->depth = (uint16_t)(trace->depth < HT_DEPTH_MAX ? trace->depth : HT_DEPTH_MAX);
    publish(stack, key);
    return (uint32_t)id;
}

static void own_frames(struct trace *trace, uint32_t id) {
    for (uint32_t i = trace->count; i != 0 && trace->frames[i - 1].owner == 0; i--)
        trace->frames[i - 1].owner = id;
    if (trace->count != 0)
        trace->frames[trace->count - 1].id = id;
}

static uint32_t find_or_record(struct trace *trace) {
    struct key key = key_of(trace_hash(trace));
    uint64_t hash = key.low ^ key.high;
    uint32_t id = index_find(&by_hash, hash, same_stack, &key);
    if (id == 0) {
        uint32_t fresh = record(trace, &key);
        id = fresh != 0 ? index_insert(&by_hash, hash, fresh, same_stack, &key) : 0;
    }
    return id;
}

uint32_t stacks_intern(struct trace *trace) {
    uint32_t id = trace->count != 0 ? trace->frames[trace->count - 1].id : 0;
    if (__builtin_expect(id != 0, 1))
        return id;
    id = find_or_record(trace);
    if (id == 0)
        return HT_STACK_OVERFLOW;
    own_frames(trace, id);
    return id;
}
