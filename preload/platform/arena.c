/* arena.c - bump allocation from anonymous chunks.
 * Owns:    the chunks.   Holds: a byte is handed out once.
 * Threads: any, lock-free.  Signals: safe.  Heap: never. */
#include "arena.h"
#include "sys.h"

#include <stdatomic.h>

#define CHUNK_BYTES ((size_t)256 << 10)
#define LINE_BYTES  ((size_t)64)

/* A chunk's first line holds how much of it is used, itself included. */
struct chunk {
    _Atomic(size_t) used;
};

static _Atomic(struct chunk *) current;
static uint64_t unmetered;
static uint64_t *meter = &unmetered;

void arena_meter(uint64_t *bytes) {
    meter = bytes;
}

static void count(size_t bytes) {
    __atomic_fetch_add(meter, bytes, __ATOMIC_RELAXED); /* a figure, it orders nothing */
}

void *arena_map(size_t bytes) {
    void *at = sys_map_private(bytes);
    if (at != NULL)
        count(bytes);
    return at;
}

/* Puts a fresh chunk in place of `full`; another thread may have done so already. */
static struct chunk *next_chunk(struct chunk *full) {
    struct chunk *fresh = sys_map_private(CHUNK_BYTES);
    if (fresh == NULL)
        return NULL;
    atomic_init(&fresh->used, LINE_BYTES);
    /* release: partner of the acquire load in arena_take */
    if (atomic_compare_exchange_strong_explicit(&current, &full, fresh, memory_order_acq_rel,
                                                memory_order_acquire))
        return fresh;
    sys_unmap(fresh, CHUNK_BYTES);
    return full;
}

void *arena_take(size_t bytes) {
    bytes = (bytes + LINE_BYTES - 1) & ~(LINE_BYTES - 1);
    if (bytes > CHUNK_BYTES / 4)
        return arena_map(bytes);
    struct chunk *chunk = atomic_load_explicit(&current, memory_order_acquire);
    for (;;) {
        if (chunk != NULL) {
            size_t at = atomic_fetch_add_explicit(&chunk->used, bytes, memory_order_relaxed);
            if (at + bytes <= CHUNK_BYTES) {
                count(bytes);
                return (char *)chunk + at;
            }
        }
        chunk = next_chunk(chunk);
        if (chunk == NULL)
            return NULL;
    }
}
