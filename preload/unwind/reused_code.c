/* reused_code.c - see reused_code.h.
 * Owns:    the list of ranges.   Holds: a range is appended, then only its count grows.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "reused_code.h"

#define RANGES_MAX 1024

static struct {
    uintptr_t start, end;
    uint32_t times; /* (atomic) */
} ranges[RANGES_MAX];
static uint32_t range_count; /* (atomic) */

uint32_t reused_code_generation;
uintptr_t reused_code_low = UINTPTR_MAX, reused_code_high; /* (atomic) */

static void widen_hull(uintptr_t start, uintptr_t end) {
    uintptr_t low = __atomic_load_n(&reused_code_low, __ATOMIC_RELAXED);
    while (start < low && !__atomic_compare_exchange_n(&reused_code_low, &low, start, false, __ATOMIC_RELEASE,
                                                       __ATOMIC_RELAXED))
        ;
    uintptr_t high = __atomic_load_n(&reused_code_high, __ATOMIC_RELAXED);
    while (end > high && !__atomic_compare_exchange_n(&reused_code_high, &high, end, false, __ATOMIC_RELEASE,
                                                      __ATOMIC_RELAXED))
        ;
}

static uint32_t known_ranges(void) {
    uint32_t count = __atomic_load_n(&range_count, __ATOMIC_ACQUIRE);
    return count < RANGES_MAX ? count : RANGES_MAX;
}

static bool count_range(uintptr_t start, uintptr_t end) {
    for (uint32_t i = 0; i < known_ranges(); i++)
        if (ranges[i].start == start && ranges[i].end == end) {
            __atomic_fetch_add(&ranges[i].times, 1, __ATOMIC_RELEASE);
            return true;
        }
    uint32_t i = __atomic_fetch_add(&range_count, 1, __ATOMIC_ACQ_REL);
    if (i >= RANGES_MAX) {
        __atomic_fetch_sub(&range_count, 1, __ATOMIC_RELAXED);
        return false;
    }
    ranges[i].start = start;
    ranges[i].end = end;
    /* release: partner of reused_code_salt_within. An addition: another thread may have found the range as
     * soon as both its bounds were there, and have counted it. */
    __atomic_fetch_add(&ranges[i].times, 1, __ATOMIC_RELEASE);
    widen_hull(start, end);
    return true;
}

bool reused_code_add(uintptr_t start, uintptr_t end) {
    bool counted = count_range(start, end);
    __atomic_fetch_add(&reused_code_generation, 1, __ATOMIC_RELEASE); /* partner: call_stack_set's acquire */
    return counted;
}

uint32_t reused_code_salt_within(uintptr_t pc) {
    uint32_t salt = 0;
    for (uint32_t i = 0; i < known_ranges(); i++) {
        uint32_t times = __atomic_load_n(&ranges[i].times, __ATOMIC_ACQUIRE);
        if (times != 0 && pc >= ranges[i].start && pc < ranges[i].end)
            salt += times;
    }
    return salt;
}
