/* frames.c - see frames.h.
 *
 * Stacks share the frames that they begin with (stacks.c). What is left of them is often the same too, above
 * others: one library's calls from many places. So a table of fixed size, in which the latest wins, says
 * where runs were stored lately, and one that is equal to the last is not stored again. It is compared frame
 * by frame: the table's hash is for finding it alone.
 *
 * Measured, frames stored a stack without and with it, while windows shared nothing yet: 12.5 and 9.8 of
 * python, 8.0 and 3.6 of cc1plus, 10.3 and 0.9 of a program that makes all ways through a few calls. Four
 * times the entries: 9.7, 3.4, 0.5.
 *
 * Memory orders: a frame is stored with release and loaded with acquire, so that who finds a PC's number sees
 * its record. A frame that is compared beyond what its run has may be another's that is being written: it is
 * 0 until it is what it will be. So 0 equals nothing, though a walk that was led astray may deliver the
 * address 0, which PC 0 has.
 *
 * Owns:    FRAMES, the table.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "frames.h"

#include "image.h"
#include "pcs.h"

#include <stdbool.h>

#define TABLE_BITS 13u

static uint32_t table[1u << TABLE_BITS]; /* (atomic) where a run stands; 0: none */

static uint32_t *place_of(const struct stack_frame *run, uint32_t count) {
    uint64_t hash = count;
    for (uint32_t i = 0; i < count; i++)
        hash = (hash ^ run[i].pc ^ (uint64_t)run[i].salt << 48) * 0x9E3779B97F4A7C15u;
    return &table[hash >> (64 - TABLE_BITS)];
}

static uint32_t exactness(const struct stack_frame *frame) {
    return (frame->pc & STACK_EXACT) != 0 ? HT_FRAME_EXACT : 0;
}

static bool is_stored_at(uint32_t first, const struct stack_frame *run, uint32_t count) {
    const struct ht_region *region = &image_header->regions[HT_REGION_FRAMES];
    if (first == 0 || first + (uint64_t)count > __atomic_load_n(&region->used_records, __ATOMIC_RELAXED))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t frame = __atomic_load_n(&image_frames[first + i], __ATOMIC_ACQUIRE); /* partner: store */
        const struct ht_pc *pc = &image_pcs[frame & HT_FRAME_PC];
        if (frame == 0 || pc->pc != (run[i].pc & ~STACK_EXACT) || pc->salt != run[i].salt ||
            (frame & HT_FRAME_EXACT) != exactness(&run[i]))
            return false;
    }
    return true;
}

static uint32_t store(const struct stack_frame *run, uint32_t count) {
    uint64_t first = image_take(HT_REGION_FRAMES, count);
    if (first == 0 || first + count > UINT32_MAX)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t pc = pcs_intern(run[i].pc & ~STACK_EXACT, run[i].salt);
        if (pc == 0)
            return 0;
        __atomic_store_n(&image_frames[first + i], pc | exactness(&run[i]), __ATOMIC_RELEASE);
    }
    return (uint32_t)first;
}

uint32_t frames_store(const struct stack_frame *run, uint32_t count) {
    uint32_t *place = place_of(run, count), first = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (is_stored_at(first, run, count))
        return first;
    first = store(run, count);
    if (first != 0)
        __atomic_store_n(place, first, __ATOMIC_RELEASE);
    return first;
}
