/* malloc.c - the interposed C allocation functions: thin, each the real one's semantics to the letter.
 *
 * The size counted is the requested one. errno is the real function's: nothing in the tracer changes it.
 * Order: a block is entered after the real allocation and forgotten before the real free.
 *
 * Threads: any.  Signals: as the real ones.  Heap: the real one. */
#define _GNU_SOURCE
#include "real.h"

#include "../track.h"
#include "../unwind/unwind.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* In each hook itself, since it is its caller that matters. */
#define COUNTED(block, size_bytes) counted((block), (size_bytes), CALLER_HERE)

static inline void *counted(void *block, size_t size_bytes, const struct caller *caller) {
    if (__builtin_expect(block != NULL, 1))
        track_allocated(block, size_bytes, caller);
    return block;
}

/* The product, or SIZE_MAX: then the real function has refused, or must. */
static size_t product(size_t count, size_t size_bytes) {
    size_t bytes;
    return __builtin_mul_overflow(count, size_bytes, &bytes) ? SIZE_MAX : bytes;
}

static void *none(void) {
    errno = ENOMEM;
    return NULL;
}

static void *bootstrapped(size_t size_bytes) {
    void *block = real_bootstrap(size_bytes);
    return block != NULL ? block : none();
}

EXPORT void *malloc(size_t size_bytes) {
    const struct real *table = real();
    return table != NULL ? COUNTED(table->malloc(size_bytes), size_bytes) : bootstrapped(size_bytes);
}

EXPORT void *calloc(size_t count, size_t size_bytes) {
    const struct real *table = real();
    if (table == NULL) /* the arena is zero, and its blocks are used once */
        return bootstrapped(product(count, size_bytes));
    return COUNTED(table->calloc(count, size_bytes), product(count, size_bytes));
}

EXPORT void free(void *block) {
    if (block == NULL || real_is_bootstrap(block))
        return;
    const struct real *table = real();
    if (table == NULL)
        return;
    __builtin_prefetch((const char *)block - 16, 1); /* the real one looks there first */
    track_freed(block);
    table->free(block);
}

/* C23's; most libcs have none, and then the size is a hint that nobody needs. */
EXPORT void free_sized(void *block, size_t size_bytes);
EXPORT void free_sized(void *block, size_t size_bytes) {
    const struct real *table = real();
    if (block == NULL || table == NULL || table->free_sized == NULL || real_is_bootstrap(block)) {
        free(block);
        return;
    }
    track_freed(block);
    table->free_sized(block, size_bytes);
}

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size_bytes);
EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size_bytes) {
    const struct real *table = real();
    if (block == NULL || table == NULL || table->free_aligned_sized == NULL || real_is_bootstrap(block)) {
        free(block);
        return;
    }
    track_freed(block);
    table->free_aligned_sized(block, alignment, size_bytes);
}

/* A bootstrap block moves to the heap. */
static void *realloc_bootstrap(const struct real *table, void *block, size_t size_bytes,
                               const struct caller *caller) {
    void *moved =
        table != NULL ? counted(table->malloc(size_bytes), size_bytes, caller) : bootstrapped(size_bytes);
    size_t old = real_bootstrap_size(block);
    if (moved != NULL)
        memcpy(moved, block, old < size_bytes ? old : size_bytes);
    return moved;
}

/* What became of a realloc. A null pointer for 0 bytes means freed (glibc; C17 7.22.3.5 lets it). */
static void *settle(struct block old, void *before, void *after, size_t size_bytes,
                    const struct caller *caller) {
    if (after != NULL)
        track_reallocated(old, after, size_bytes, caller);
    else if (size_bytes == 0)
        track_forgotten(old);
    else
        track_restore(old, before);
    return after;
}

EXPORT void *realloc(void *block, size_t size_bytes) {
    const struct real *table = real();
    if (__builtin_expect(table == NULL || real_is_bootstrap(block), 0))
        return block != NULL ? realloc_bootstrap(table, block, size_bytes, CALLER_HERE)
                             : bootstrapped(size_bytes);
    if (block == NULL)
        return COUNTED(table->realloc(NULL, size_bytes), size_bytes);
    struct block old = track_forget(block);
    return settle(old, block, table->realloc(block, size_bytes), size_bytes, CALLER_HERE);
}

/* glibc's calls realloc, which is interposed: by us, or by an allocator that was preloaded before us and
 * whose block it is. The tail call leaves no frame of ours between the two. Another allocator's would not
 * come back here. */
EXPORT void *reallocarray(void *block, size_t count, size_t size_bytes) {
    const struct real *table = real();
    size_t bytes;
    if (__builtin_expect(table != NULL && table->reallocarray != NULL, 1))
        return table->reallocarray(block, count, size_bytes);
    return __builtin_mul_overflow(count, size_bytes, &bytes) ? none() : realloc(block, bytes);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size_bytes) {
    const struct real *table = real();
    if (table == NULL)
        return ENOMEM;
    int error = table->posix_memalign(out, alignment, size_bytes);
    if (error == 0)
        COUNTED(*out, size_bytes);
    return error;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size_bytes) {
    const struct real *table = real();
    return table != NULL ? COUNTED(table->aligned_alloc(alignment, size_bytes), size_bytes) : none();
}

EXPORT void *memalign(size_t alignment, size_t size_bytes);
EXPORT void *memalign(size_t alignment, size_t size_bytes) {
    const struct real *table = real();
    return table != NULL ? COUNTED(table->memalign(alignment, size_bytes), size_bytes) : none();
}

EXPORT void *valloc(size_t size_bytes) {
    const struct real *table = real();
    return table != NULL ? COUNTED(table->valloc(size_bytes), size_bytes) : none();
}

EXPORT void *pvalloc(size_t size_bytes);
EXPORT void *pvalloc(size_t size_bytes) {
    const struct real *table = real();
    return table != NULL ? COUNTED(table->pvalloc(size_bytes), size_bytes) : none();
}

EXPORT size_t malloc_usable_size(void *block);
EXPORT size_t malloc_usable_size(void *block) {
    const struct real *table = real();
    if (block == NULL || table == NULL)
        return 0;
    return real_is_bootstrap(block) ? real_bootstrap_size(block) : table->malloc_usable_size(block);
}
