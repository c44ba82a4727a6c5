/* real.h - the functions that ours stand before: the next definitions in the program's own order, so that
 * a program that brings an allocator still uses it.
 *
 * Threads: any.  Signals: safe once resolved.  Heap: until malloc is known, a static arena serves. */
#ifndef HEAPTALLY_REAL_H
#define HEAPTALLY_REAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct real {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*reallocarray)(void *, size_t, size_t); /* glibc's alone, which calls realloc; else null */
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    void (*free_sized)(void *, size_t);                 /* C23, null in most libcs */
    void (*free_aligned_sized)(void *, size_t, size_t); /* likewise */
    size_t (*malloc_usable_size)(void *);
    void *(*mmap)(void *, size_t, int, int, int, off_t);
    int (*munmap)(void *, size_t);
    void *(*mremap)(void *, size_t, size_t, int, ...);
    int (*brk)(void *);
    void *(*sbrk)(intptr_t);
    int (*dlclose)(void *);
};

/* The table; what it points to is resolved by the first call of an interposed function. */
extern struct real real_table;

/* Resolves all; false while it is under way, on this thread or another: use the bootstrap arena. */
bool real_resolve(void);

/* The real functions, or null while they are being resolved. */
static inline const struct real *real(void) {
    return __builtin_expect(real_table.dlclose != NULL, 1) || real_resolve() ? &real_table : NULL;
}

/* Takes away the error that the loader keeps for us. From the constructor on. */
void real_clear_error(void);

/* A function by its C++ mangled name: the next definition in the global scope, else that of a C++ runtime
 * that was loaded into a scope of its own, else that of the object that holds `caller`. Null: none. */
void *real_symbol(const char *name, const void *caller);

/* Whether `function` is of an allocator, and not of the C++ runtime, whose operators call malloc. */
bool real_is_allocator(const void *function);

/* What dlsym itself allocates before malloc is known. Never given back; 16-aligned. Null: full. */
void *real_bootstrap(size_t size_bytes);
extern size_t real_bootstrap_used; /* (atomic) bytes; in most programs none ever are */
bool real_is_of_bootstrap(const void *block);
static inline bool real_is_bootstrap(const void *block) {
    return __builtin_expect(__atomic_load_n(&real_bootstrap_used, __ATOMIC_RELAXED) != 0, 0) &&
           real_is_of_bootstrap(block);
}
size_t real_bootstrap_size(const void *block);

#endif
