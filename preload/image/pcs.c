/* pcs.c - see pcs.h.
 * Owns:    PCS.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "pcs.h"

#include "image.h"
#include "index.h"
#include "modules.h"

#include "../unwind/call_stack.h"

#include <stdbool.h>

static struct index by_address;

struct key {
    uint64_t pc;
    uint32_t salt;
};

static bool same_pc(uint32_t id, const void *key) {
    const struct key *wanted = key;
    return image_pcs[id].pc == wanted->pc && image_pcs[id].salt == wanted->salt;
}

static uint32_t record(const struct key *key) {
    uint64_t id = image_take(HT_REGION_PCS, 1);
    if (id == 0)
        return 0;
    struct ht_pc *record = &image_pcs[id];
    record->pc = key->pc;
    record->salt = key->salt;
    record->module = modules_find((uintptr_t)key->pc);
    /* Only the first stack with a handler on it is recorded without the flag. */
    if (call_stack_signal_return == 0 && record->module != 0 &&
        call_stack_returns_from_signal((uintptr_t)key->pc))
        call_stack_signal_return = (uintptr_t)key->pc;
    return (uint32_t)id;
}

uint32_t pcs_intern(uint64_t pc, uint32_t salt) {
    struct key key = {pc, salt};
    uint64_t hash = (pc ^ ((uint64_t)salt << 48)) * 0xD6E8FEB86659FD93u;
    uint32_t id = index_find(&by_address, hash, same_pc, &key);
    if (id != 0)
        return id;
    id = record(&key);
    return id != 0 ? index_insert(&by_address, hash, id, same_pc, &key) : 0;
}
