/* safe_malloc.c - an allocator that a signal handler may call at any instant, as glibc's may not: addresses
 * from one counter, nothing is given back. So a program may interrupt itself inside malloc, and the tracer
 * inside it. Owns: one array.  Threads: any, lock-free.  Signals: safe. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES ((size_t)512 << 20) /* of address space; touched as far as it is used */

static _Alignas(4096) char arena[ARENA_BYTES];
static size_t used; /* (atomic) */

void *memalign(size_t alignment, size_t size_bytes);
size_t malloc_usable_size(void *block);

/* The size stands 16 bytes before the block. Static: calls between exported functions would be traced. */
static void *take(size_t alignment, size_t size_bytes) {
    if (size_bytes > ARENA_BYTES / 4 || alignment > ARENA_BYTES / 4) {
        errno = ENOMEM;
        return NULL;
    }
    alignment = alignment < 16 ? 16 : alignment;
    size_t need = (size_bytes + 31 + alignment) & ~(size_t)15;
    size_t at = __atomic_fetch_add(&used, need, __ATOMIC_RELAXED);
    if (at + need > ARENA_BYTES) {
        errno = ENOMEM;
        return NULL;
    }
    char *block = (char *)(((uintptr_t)arena + at + 16 + alignment - 1) & ~(uintptr_t)(alignment - 1));
    memcpy(block - 16, &size_bytes, sizeof size_bytes);
    return block;
}

static size_t size_of(void *block) {
    size_t size_bytes = 0;
    if (block)
        memcpy(&size_bytes, (char *)block - 16, sizeof size_bytes);
    return size_bytes;
}

size_t malloc_usable_size(void *block) {
    return size_of(block);
}

void *memalign(size_t alignment, size_t size_bytes) {
    return take(alignment, size_bytes);
}

void *malloc(size_t size_bytes) {
    return take(16, size_bytes);
}

void free(void *block) {
    (void)block;
}

void *calloc(size_t count, size_t size_bytes) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size_bytes, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return take(16, bytes); /* never used before, so zero */
}

void *realloc(void *block, size_t size_bytes) {
    size_t before = size_of(block);
    void *moved = take(16, size_bytes);
    if (moved && block)
        memcpy(moved, block, before < size_bytes ? before : size_bytes);
    return moved;
}

int posix_memalign(void **out, size_t alignment, size_t size_bytes) {
    *out = take(alignment, size_bytes);
    return *out ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size_bytes) {
    return take(alignment, size_bytes);
}
