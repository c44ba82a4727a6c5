/* mappings.c - the interposed functions that map memory: thin, each the next one's semantics to the letter.
 *
 * All that the program maps by them counts, of files too, with its length as the kernel rounds it, to pages;
 * by brk and sbrk in bytes. libc's own mappings (malloc's, threads' stacks, libraries) do not come here.
 * mremap counts as realloc does: what it was given is freed, what it returns is new.
 *
 * Order: a range is entered after it was mapped and taken out before it is unmapped, as another thread may be
 * given its addresses at once.
 *
 * Threads: any.  Signals: as the real ones.  Heap: never. */
#define _GNU_SOURCE
#include "real.h"

#include "../platform/options.h"
#include "../platform/sys.h"
#include "../track_mappings.h"
#include "../unwind/unwind.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4 /* Linux 5.7 */
#endif

#define EXPORT __attribute__((visibility("default")))

static const struct mappings_taken nothing;

static inline bool counting(void) {
    return __builtin_expect(options.mappings, 0);
}

/* ---- the real ones; while they are being looked up, the kernel ---- */

/* Resolves nothing: an allocator that maps its first memory holds locks that the look-up's own allocation
 * waits for. */
static inline const struct real *resolved(void) {
    return __atomic_load_n(&real_table.dlclose, __ATOMIC_ACQUIRE) != NULL ? &real_table
                                                                          : NULL; /* partner: real_resolve */
}

static long result(long returned) {
    if (returned >= 0 || returned < -4095)
        return returned;
    errno = (int)-returned;
    return -1;
}

static inline void *next_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset) {
    const struct real *table = resolved();
    if (__builtin_expect(table != NULL, 1))
        return table->mmap(address, bytes, protection, flags, fd, offset);
    return (void *)result(sys_mmap(address, bytes, protection, flags, fd, offset));
}

static inline int next_munmap(void *address, size_t bytes) {
    const struct real *table = resolved();
    if (__builtin_expect(table != NULL, 1))
        return table->munmap(address, bytes);
    return (int)result(sys_unmap(address, bytes));
}

static inline void *next_mremap(void *address, size_t old_bytes, size_t bytes, int flags, void *to) {
    const struct real *table = resolved();
    if (__builtin_expect(table != NULL, 1))
        return table->mremap(address, old_bytes, bytes, flags, to);
    return (void *)result(sys_mremap(address, old_bytes, bytes, flags, to));
}

/* glibc remembers the break, so the kernel cannot be asked behind its back; sbrk has this name there too. */
extern void *__sbrk(intptr_t increment);

static inline void *next_sbrk(intptr_t increment) {
    const struct real *table = resolved();
    return (__builtin_expect(table != NULL, 1) ? table->sbrk : __sbrk)(increment);
}

static inline int next_brk(void *address) {
    const struct real *table = resolved();
    if (__builtin_expect(table != NULL, 1))
        return table->brk(address);
    return __sbrk((char *)address - (char *)__sbrk(0)) == (void *)-1 ? -1 : 0;
}

/* ---- ranges ---- */

/* The length as the kernel takes it; 0 where it takes none. */
static size_t whole_pages(size_t bytes) {
    return (bytes + sys_page_bytes() - 1) & ~(sys_page_bytes() - 1);
}

/* What a call takes away that the kernel will look at: it refuses what does not begin with a page. */
static struct mappings_taken unmapping(const void *address, size_t bytes) {
    if ((uintptr_t)address % sys_page_bytes() != 0)
        return nothing;
    return track_unmapping((uintptr_t)address, whole_pages(bytes));
}

/* ---- mmap ---- */

/* A kernel that does not know MAP_FIXED_NOREPLACE (before 4.17) takes it for a hint. */
static bool replaces(int flags) {
    return (flags & MAP_FIXED) != 0 && (flags & MAP_FIXED_NOREPLACE) == 0;
}

static __attribute__((noinline)) void *counted_mmap(void *address, size_t bytes, int protection, int flags,
                                                    int fd, off_t offset, const struct caller *caller) {
    struct mappings_taken taken = replaces(flags) ? unmapping(address, bytes) : nothing;
    void *mapped = next_mmap(address, bytes, protection, flags, fd, offset);
    if (mapped == MAP_FAILED) {
        track_still_mapped(taken, true);
        return mapped;
    }
    track_unmapped(taken);
    track_mapped((uintptr_t)mapped, whole_pages(bytes), caller);
    return mapped;
}

EXPORT void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset) {
    if (counting())
        return counted_mmap(address, bytes, protection, flags, fd, offset, CALLER_HERE);
    return next_mmap(address, bytes, protection, flags, fd, offset);
}

_Static_assert(sizeof(off_t) == sizeof(off64_t), "mmap64 is mmap");
EXPORT void *mmap64(void *address, size_t bytes, int protection, int flags, int fd, off64_t offset)
    __attribute__((alias("mmap")));

/* ---- munmap ---- */

static __attribute__((noinline)) int counted_munmap(void *address, size_t bytes) {
    struct mappings_taken taken = unmapping(address, bytes);
    int failed = next_munmap(address, bytes);
    if (failed != 0)
        track_still_mapped(taken, false);
    else
        track_unmapped(taken);
    return failed;
}

EXPORT int munmap(void *address, size_t bytes) {
    return counting() ? counted_munmap(address, bytes) : next_munmap(address, bytes);
}

/* ---- mremap ---- */

/* Of no length: one more mapping of the same memory. */
static bool moves_away(size_t old_bytes, int flags) {
    return old_bytes != 0 && (flags & MREMAP_DONTUNMAP) == 0;
}

static __attribute__((noinline)) void *counted_mremap(void *address, size_t old_bytes, size_t bytes,
                                                      int flags, void *to, const struct caller *caller) {
    bool fixed = (flags & MREMAP_FIXED) != 0;
    struct mappings_taken old = moves_away(old_bytes, flags) ? unmapping(address, old_bytes) : nothing;
    struct mappings_taken replaced = fixed ? unmapping(to, bytes) : nothing;
    void *mapped = next_mremap(address, old_bytes, bytes, flags, to);
    if (mapped == MAP_FAILED) {
        track_still_mapped(replaced, fixed);
        track_still_mapped(old, fixed);
        return mapped;
    }
    track_unmapped(old);
    track_unmapped(replaced);
    track_mapped((uintptr_t)mapped, whole_pages(bytes), caller);
    return mapped;
}

/* Without MREMAP_FIXED the last argument may not be there. libc hands its register on all the same, and with
 * MREMAP_DONTUNMAP alone the kernel takes it for a hint. */
EXPORT void *mremap(void *address, size_t old_bytes, size_t bytes, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    void *to = va_arg(rest, void *);
    va_end(rest);
    if (counting())
        return counted_mremap(address, old_bytes, bytes, flags, to, CALLER_HERE);
    return next_mremap(address, old_bytes, bytes, flags, to);
}

/* ---- brk ---- */

static uintptr_t lowest_break = UINTPTR_MAX; /* (atomic) below it, nothing was mapped by brk */

static void raised(uintptr_t from, uintptr_t to, const struct caller *caller) {
    uintptr_t lowest = __atomic_load_n(&lowest_break, __ATOMIC_RELAXED);
    while (from < lowest && !__atomic_compare_exchange_n(&lowest_break, &lowest, from, false,
                                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    track_mapped(from, to - from, caller);
}

/* A break below the heap's start is refused, and not always said to be. */
static struct mappings_taken lowering(uintptr_t from, uintptr_t to) {
    uintptr_t lowest = __atomic_load_n(&lowest_break, __ATOMIC_RELAXED);
    uintptr_t start = to > lowest ? to : lowest;
    return start < from ? track_unmapping(start, from - start) : nothing;
}

static void lowered(struct mappings_taken taken, uintptr_t to) {
    if ((uintptr_t)next_sbrk(0) == to)
        track_unmapped(taken);
    else
        track_still_mapped(taken, false);
}

static __attribute__((noinline)) int counted_brk(uintptr_t to, const struct caller *caller) {
    uintptr_t from = (uintptr_t)next_sbrk(0);
    struct mappings_taken taken = lowering(from, to);
    int failed = next_brk((void *)to);
    lowered(taken, to);
    if (failed == 0 && from < to)
        raised(from, to, caller);
    return failed;
}

EXPORT int brk(void *address) {
    return counting() ? counted_brk((uintptr_t)address, CALLER_HERE) : next_brk(address);
}

static __attribute__((noinline)) void *counted_sbrk(intptr_t increment, const struct caller *caller) {
    uintptr_t top = (uintptr_t)next_sbrk(0), to = top + (uintptr_t)increment;
    struct mappings_taken taken = increment < 0 && to < top ? lowering(top, to) : nothing;
    void *from = next_sbrk(increment);
    if (increment < 0)
        lowered(taken, to);
    else if (increment > 0 && from != (void *)-1)
        raised((uintptr_t)from, (uintptr_t)from + (uintptr_t)increment, caller);
    return from;
}

EXPORT void *sbrk(intptr_t increment) {
    return counting() ? counted_sbrk(increment, CALLER_HERE) : next_sbrk(increment);
}
