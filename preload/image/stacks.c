/* stacks.c - see stacks.h.
 *
 * A new stack stores only the frames above the longest prefix that is known to be another's (prefixes.h), and
 * these only if they are no run that was stored lately (frames.h): of python's stacks 0.9 frames, of
 * cc1plus' 2.0, of clang's 1.6, of 56 to 110. As long as windows shared nothing and runs were not looked for,
 * it was 12.5, 8.0 and 22.
 *
 * Publication: reserve the record and its frames, fill both, store hash_lo with release, enter the index.
 * A reader that finds hash_lo == 0 skips the record: its writer was interrupted or killed.
 *
 * Owns:    STACKS.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "stacks.h"

#include "frames.h"
#include "image.h"
#include "index.h"
#include "prefixes.h"

#include <stdbool.h>

static struct index by_hash;

struct key {
    uint64_t low, high;
};

/* hash_lo == 0 means unpublished; the hash 0 counts as 1. */
static struct key key_of(struct stack_hash hash) {
    return (struct key){hash.a != 0 ? hash.a : 1, hash.b};
}

/* A context is one more coefficient, where a PC would be: none of them is that small. */
static struct key key_in_context(const struct ht_stack *stack, uint32_t context) {
    struct stack_hash point = {image_header->hash_key[0], image_header->hash_key[1]};
    struct stack_hash hash = {stack->hash_lo, stack->hash_hi};
    return key_of(stack_hash_canonical(stack_hash_put(hash, point, context, 0)));
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

/* ---- what a stack shares with others ----
 *
 * Frames are numbered from the root, also those of a window, which begins at frame `first`. A window may have
 * frames from another that begins at the same or an older one, or from a whole stack; a whole stack from a
 * whole stack alone. What a thread keeps below its window may be out of date, but as long as it is the same,
 * its hash is, and so are the frames within the window. */

#define OWNER_WINDOW 0x80000000u /* in stack_frame.owner: it begins at a frame other than 0 */

static uint32_t first_of(const struct ht_stack *stack) {
    return (uint32_t)stack->depth - stack->frame_count;
}

/* Whether the owner's frames are numbered like those of a stack that begins at `first`, and reach that far
 * back. */
static bool serves(uint32_t owner, uint32_t first) {
    if ((owner & OWNER_WINDOW) == 0)
        return owner != 0;
    return first != 0 && first_of(&image_stacks[owner & ~OWNER_WINDOW]) <= first;
}

/* The same stack may have been met at another depth first, and have its frames numbered by that. */
uint32_t stacks_owner(const struct call_stack *stack, uint32_t id) {
    if (image_stacks[id].depth != stack->count || stack->count >= HT_DEPTH_MAX || id >= OWNER_WINDOW)
        return 0;
    return call_stack_first(stack) == 0 ? id : id | OWNER_WINDOW;
}

/* The owner that others left behind for frames up to `at`. */
static uint32_t left_behind(const struct call_stack *stack, uint32_t at) {
    uint32_t id = prefixes_find(stack->frames[at].prefix);
    return id != 0 && first_of(&image_stacks[id]) != 0 ? id | OWNER_WINDOW : id;
}

/* How many of the stack's frames, the oldest, an owner has, and which. */
struct shared {
    uint32_t count, owner; /* without the flag */
};

/* Of a cut stack nobody knows how its frames are numbered. */
static struct shared find_shared(struct call_stack *stack) {
    uint32_t first = call_stack_first(stack), owned = stack->count, count = owned, owner = 0;
    if (stack->cut)
        return (struct shared){0, 0};
    while (owned != first && !serves(stack->frames[owned - 1].owner, first))
        owned--;
    while (count != owned && !serves(owner = left_behind(stack, count - 1), first))
        count--;
    for (uint32_t i = owned; i < count; i++)
        stack->frames[i].owner = owner;
    if (count == first)
        return (struct shared){0, 0};
    return (struct shared){count - first, stack->frames[count - 1].owner & ~OWNER_WINDOW};
}

/* Leaves it behind for some of the frames that the stack was the first to have, the older ones closer: who
 * comes next shares these rather than the newest, and leaves more. */
static void note_owner(const struct call_stack *stack, uint32_t from, uint32_t id) {
    if (stacks_owner(stack, id) != 0)
        for (uint32_t i = from, step = 1; i < stack->count; i += step, step *= 2)
            prefixes_note(stack->frames[i].prefix, id);
}

/* The stack that itself stores the last shared frame: the owner, or the base that it has it from. */
static uint32_t base_for(const struct call_stack *stack, struct shared shared) {
    if (shared.count == 0)
        return HT_STACK_NONE;
    uint32_t base = shared.owner, last = call_stack_first(stack) + shared.count - 1;
    while (first_of(&image_stacks[base]) + image_stacks[base].kept > last)
        base = image_stacks[base].base;
    return base;
}

/* Records a stack seen for the first time; 0 when there is no room: then its frames need not be stored. */
static uint32_t record(struct call_stack *stack, const struct key *key) {
    if (!image_make_room(HT_REGION_STACKS))
        return 0;
    struct shared shared = find_shared(stack);
    uint32_t first = call_stack_first(stack), from = first + shared.count, first_frame = 0;
    if (from < stack->count && (first_frame = frames_store(&stack->frames[from], stack->count - from)) == 0)
        return 0;
    uint64_t id = image_take(HT_REGION_STACKS, 1);
    if (id == 0)
        return 0;
    struct ht_stack *entry = &image_stacks[id];
    entry->base = base_for(stack, shared);
    entry->first_frame = first_frame;
    entry->kept = (uint16_t)shared.count;
    entry->frame_count = (uint16_t)(stack->count - first);
    entry->depth = (uint16_t)(stack->cut ? HT_DEPTH_MAX : stack->count);
    publish(entry, key);
    note_owner(stack, from, (uint32_t)id);
    return (uint32_t)id;
}

/* A whole stack takes a window's place: it serves more. */
void stacks_own(struct call_stack *stack, uint32_t owner) {
    uint32_t first = call_stack_first(stack), taken = first == 0 ? OWNER_WINDOW : 0;
    for (uint32_t i = owner != 0 ? stack->count : first; i != first; i--) {
        uint32_t present = stack->frames[i - 1].owner;
        if (present != 0 && (present & taken) == 0)
            break;
        stack->frames[i - 1].owner = owner;
    }
}

static uint64_t place_of(const struct key *key) {
    return key->low << 3 ^ key->high;
}

void stacks_prefetch(struct stack_hash hash) {
    struct key key = key_of(hash);
    index_prefetch(&by_hash, place_of(&key));
}

/* All frames are those of the stack, or of the base that it has them all from. */
static uint32_t record_in_context(uint32_t of, uint32_t context, const struct key *key) {
    const struct ht_stack *from = &image_stacks[of];
    uint64_t id = image_take(HT_REGION_STACKS, 1);
    if (id == 0)
        return 0;
    struct ht_stack *entry = &image_stacks[id];
    entry->base = from->frame_count == 0 && of >= HT_STACK_FIRST ? HT_STACK_NONE : of;
    entry->kept = from->frame_count;
    entry->frame_count = from->frame_count;
    entry->depth = from->depth;
    entry->context = (uint16_t)context;
    publish(entry, key);
    return (uint32_t)id;
}

uint32_t stacks_in_context(uint32_t id, uint32_t context) {
    if (context == 0)
        return id;
    struct key key = key_in_context(&image_stacks[id], context);
    uint64_t place = place_of(&key);
    uint32_t twin = index_find(&by_hash, place, same_stack, &key);
    if (twin == 0) {
        uint32_t fresh = record_in_context(id, context, &key);
        twin = fresh != 0 ? index_insert(&by_hash, place, fresh, same_stack, &key) : 0;
    }
    return twin != 0 ? twin : HT_STACK_OVERFLOW;
}

uint32_t stacks_intern(struct call_stack *stack, struct stack_hash hash) {
    struct key key = key_of(hash);
    uint64_t place = place_of(&key);
    uint32_t id = index_find(&by_hash, place, same_stack, &key);
    if (id == 0) {
        uint32_t fresh = record(stack, &key);
        id = fresh != 0 ? index_insert(&by_hash, place, fresh, same_stack, &key) : 0;
    }
    if (id == 0)
        return HT_STACK_OVERFLOW;
    stacks_own(stack, stacks_owner(stack, id));
    return id;
}

uint64_t stacks_next(struct stacks_cursor *self) {
    while (self->stack->kept >= self->left) {
        const struct ht_stack *base = &image_stacks[self->stack->base];
        self->left += first_of(self->stack) - first_of(base);
        self->stack = base;
    }
    self->left--;
    uint32_t frame = image_frames[self->stack->first_frame + self->left - self->stack->kept];
    return image_pcs[frame & HT_FRAME_PC].pc | ((frame & HT_FRAME_EXACT) != 0 ? STACK_EXACT : 0);
}

uint32_t stacks_frames(uint32_t id, void **pcs, uint32_t room) {
    struct stacks_cursor cursor = stacks_newest(&image_stacks[id]);
    uint32_t count = image_stacks[id].frame_count;
    for (uint32_t i = 0; i < count && i < room; i++)
        pcs[i] = (void *)(uintptr_t)(stacks_next(&cursor) & ~STACK_EXACT);
    return count;
}
