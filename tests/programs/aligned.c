/* aligned.c - the aligned allocators: requested sizes, alignments that are valid and that are not. */
#include "ledger.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>

static volatile size_t huge = PTRDIFF_MAX, not_a_power = 48, too_small = 2, too_large = (size_t)1 << 63;

static int is_aligned(const void *p, size_t alignment) {
    return (uintptr_t)p % alignment == 0;
}

static void check_posix_memalign(void) {
    void *p = NULL, *untouched = &p;
    CHECK(posix_memalign(&untouched, not_a_power, 10) == EINVAL && untouched == (void *)&p);
    CHECK(posix_memalign(&untouched, too_small, 10) == EINVAL && untouched == (void *)&p);
    CHECK(posix_memalign(&untouched, 0, 10) == EINVAL && untouched == (void *)&p);
    CHECK(posix_memalign(&untouched, 64, huge) == ENOMEM && untouched == (void *)&p);
    errno = 77;
    p = GOT(posix_memalign(&p, 64, 100) ? NULL : p, 100);
    CHECK(is_aligned(p, 64) && errno == 77);
    void *page = GOT(posix_memalign(&page, 4096, 0) ? NULL : page, 0);
    CHECK(is_aligned(page, 4096));
    free(GONE(p));
}

static void check_aligned_alloc(void) {
    for (size_t alignment = 8; alignment <= 1u << 20; alignment *= 2) {
        void *p = GOT(aligned_alloc(alignment, 3 * alignment), 3 * alignment);
        CHECK(is_aligned(p, alignment));
        if (alignment % 3 == 2)
            free(GONE(p));
    }
    errno = 0;
    CHECK(aligned_alloc(64, huge) == NULL && errno == ENOMEM);
}

static void check_old_ones(void) {
    void *rounded = GOT(memalign(not_a_power, 10), 10); /* glibc: the next power of two */
    CHECK(is_aligned(rounded, 64));
    void *small = GOT(memalign(too_small, 11), 11);
    void *page = GOT(valloc(5), 5);
    CHECK(is_aligned(page, 4096));
    void *pages = GOT(pvalloc(5000), 5000);
    CHECK(is_aligned(pages, 4096) && malloc_usable_size(pages) >= 8192);
    errno = 0;
    CHECK(memalign(too_large, 10) == NULL && (errno == EINVAL || errno == ENOMEM));
    errno = 0;
    CHECK(pvalloc(huge) == NULL && errno == ENOMEM);
    free(GONE(small));
    free(GONE(page));
    void *moved = GOT(realloc(GONE(rounded), 1000), 1000);
    free(GONE(moved));
}

int main(void) {
    check_posix_memalign();
    check_aligned_alloc();
    check_old_ones();
    return 0;
}
