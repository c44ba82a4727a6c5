/* count_preload.c - a witness of its own: counts the calls that reach it and prints them when the program
 * exits. Preloaded instead of the tracer. Counts as the ledger does: a realloc is a free and an allocation.
 * Writes "allocations bytes frees\n" to the file $COUNT_OUT.<pid>. Shares no code with the tracer: it calls
 * glibc's own names for the allocator, so it needs no dlsym, and works for programs without their own. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

static atomic_ullong allocations, bytes, frees;

static void *count(void *block, size_t size) {
    if (block) {
        atomic_fetch_add(&allocations, 1);
        atomic_fetch_add(&bytes, size);
    }
    return block;
}

void *malloc(size_t size) {
    return count(__libc_malloc(size), size);
}

void *calloc(size_t n, size_t size) {
    return count(__libc_calloc(n, size), n * size);
}

void free(void *block) {
    if (block)
        atomic_fetch_add(&frees, 1);
    __libc_free(block);
}

void *realloc(void *old, size_t size) {
    void *block = __libc_realloc(old, size);
    if (old && (block || size == 0))
        atomic_fetch_add(&frees, 1);
    return count(block, size);
}

void *reallocarray(void *old, size_t n, size_t size) {
    size_t product;
    if (__builtin_mul_overflow(n, size, &product)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, product);
}

void *memalign(size_t alignment, size_t size) {
    return count(__libc_memalign(alignment, size), size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

void *valloc(size_t size) {
    return memalign(4096, size);
}

void *pvalloc(size_t size) {
    return count(__libc_memalign(4096, (size + 4095) & ~(size_t)4095), size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    int saved = errno;
    void *block = memalign(alignment, size);
    errno = saved;
    if (!block)
        return ENOMEM;
    *result = block;
    return 0;
}

__attribute__((destructor)) static void report(void) {
    char path[4096], text[128];
    const char *out = getenv("COUNT_OUT");
    if (!out)
        return;
    snprintf(path, sizeof path, "%s.%d", out, (int)getpid());
    int n = snprintf(text, sizeof text, "%llu %llu %llu\n", atomic_load(&allocations), atomic_load(&bytes),
                     atomic_load(&frees));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, text, (size_t)n) == n)
        close(fd);
}
