/* real.c - see real.h.
 * Owns:    the table, the bootstrap arena.
 * Holds:   dlclose is stored last: where it is there, everything is.
 * Threads: any.  Signals: safe once resolved.  Heap: never. */
#define _GNU_SOURCE
#include "real.h"

#include "../births.h"
#include "../blocks.h"
#include "../track.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

struct real real_table;

/* ---- bootstrap arena ---- */

#define BOOTSTRAP_BYTES 65536u

static _Alignas(16) char bootstrap[BOOTSTRAP_BYTES];
size_t real_bootstrap_used;

/* A block's size stands before it. */
void *real_bootstrap(size_t size_bytes) {
    if (size_bytes > BOOTSTRAP_BYTES)
        return NULL;
    size_t need = 16 + ((size_bytes + 15) & ~(size_t)15);
    size_t at = __atomic_fetch_add(&real_bootstrap_used, need, __ATOMIC_RELAXED);
    if (at + need > BOOTSTRAP_BYTES)
        return NULL;
    memcpy(bootstrap + at, &size_bytes, sizeof size_bytes);
    return bootstrap + at + 16;
}

bool real_is_of_bootstrap(const void *block) {
    return (uintptr_t)block - (uintptr_t)bootstrap < BOOTSTRAP_BYTES;
}

size_t real_bootstrap_size(const void *block) {
    size_t size_bytes;
    memcpy(&size_bytes, (const char *)block - 16, sizeof size_bytes);
    return size_bytes;
}

/* ---- symbols ---- */

/* A failed look-up leaves an error that the program must not find. dlerror translates it, under a lock of
 * libc that counts by thread id: not before the loader has given the first thread one. */
static bool error_pending;

static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        error_pending = true;
    return found;
}

void real_clear_error(void) {
    if (error_pending)
        dlerror();
    error_pending = false;
}

static void *in_library(const char *library, const char *name) {
    void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD); /* stays open: we keep a pointer into it */
    void *found = handle != NULL ? dlsym(handle, name) : NULL;
    if (found == NULL)
        dlerror();
    return found;
}

/* glibc's handles are link maps, and its look-up by handle goes through the object's own scope. */
static void *in_scope_of(const void *caller, const char *name) {
    struct dl_find_object object;
    if (_dl_find_object((void *)(uintptr_t)caller, &object) != 0)
        return NULL;
    void *found = dlsym(object.dlfo_link_map, name);
    if (found == NULL)
        dlerror();
    return found;
}

static const char *const runtimes[] = {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"};

void *real_symbol(const char *name, const void *caller) {
    track_mute();
    void *found = next(name), *own = dlsym(RTLD_DEFAULT, name);
    for (size_t i = 0; found == NULL && i < sizeof runtimes / sizeof *runtimes; i++)
        found = in_library(runtimes[i], name);
    if (found == NULL && (found = in_scope_of(caller, name)) == own)
        found = NULL;
    real_clear_error();
    track_unmute();
    return found;
}

static const char *object_name(const void *function) {
    struct dl_find_object object;
    if (_dl_find_object((void *)(uintptr_t)function, &object) != 0)
        return "";
    const char *path = object.dlfo_link_map->l_name, *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

bool real_is_allocator(const void *function) {
    const char *name = object_name(function);
    return strncmp(name, "libstdc++.so", 12) != 0 && strncmp(name, "libc++", 6) != 0;
}

/* glibc's own malloc places blocks 32 bytes apart; of others we do not know. */
static bool is_glibc(const void *function) {
    return strncmp(object_name(function), "libc.so.6", 9) == 0;
}

/* An allocator that brings no malloc_usable_size must not have its blocks measured by glibc's. */
static bool same_object(const void *function_malloc, size_t (*measure)(void *)) {
    struct dl_find_object a, b;
    void *function_measure;
    memcpy(&function_measure, &measure, sizeof function_measure);
    return _dl_find_object((void *)(uintptr_t)function_malloc, &a) == 0 &&
           _dl_find_object(function_measure, &b) == 0 && a.dlfo_link_map == b.dlfo_link_map;
}

/* ---- resolving ---- */

static void store(void *function, const char *name) {
    void *found = next(name);
    memcpy(function, &found, sizeof found);
}

bool real_resolve(void) {
    static uint32_t begun;
    if (__atomic_exchange_n(&begun, 1, __ATOMIC_ACQUIRE) != 0)
        return __atomic_load_n(&real_table.dlclose, __ATOMIC_ACQUIRE) != NULL;
    track_mute();
    store(&real_table.malloc, "malloc");
    store(&real_table.free, "free");
    store(&real_table.calloc, "calloc");
    store(&real_table.realloc, "realloc");
    store(&real_table.posix_memalign, "posix_memalign");
    store(&real_table.aligned_alloc, "aligned_alloc");
    store(&real_table.memalign, "memalign");
    store(&real_table.valloc, "valloc");
    store(&real_table.pvalloc, "pvalloc");
    store(&real_table.free_sized, "free_sized");
    store(&real_table.free_aligned_sized, "free_aligned_sized");
    store(&real_table.malloc_usable_size, "malloc_usable_size");
    store(&real_table.mmap, "mmap");
    store(&real_table.munmap, "munmap");
    store(&real_table.mremap, "mremap");
    store(&real_table.brk, "brk");
    store(&real_table.sbrk, "sbrk");
    void *function_reallocarray = next("reallocarray");
    if (function_reallocarray != NULL && is_glibc(function_reallocarray))
        memcpy(&real_table.reallocarray, &function_reallocarray, sizeof function_reallocarray);
    const void *operator_new = next("_Znwm");
    void *function_malloc, *function_dlclose = next("dlclose");
    memcpy(&function_malloc, &real_table.malloc, sizeof function_malloc);
    if (!is_glibc(function_malloc) || (operator_new != NULL && real_is_allocator(operator_new)))
        blocks_exact();
    if (real_table.malloc_usable_size != NULL && same_object(function_malloc, real_table.malloc_usable_size))
        births_measure_by(real_table.malloc_usable_size);
    track_unmute();
    int (*dlclose_function)(void *);
    memcpy(&dlclose_function, &function_dlclose, sizeof dlclose_function);
    __atomic_store_n(&real_table.dlclose, dlclose_function, __ATOMIC_RELEASE); /* partner: real(), by data */
    return true;
}
