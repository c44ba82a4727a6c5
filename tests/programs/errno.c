/* errno.c - no successful call changes errno, and free never does. */
#include "ledger.h"

#include <errno.h>
#include <malloc.h>

#define KEEPS_ERRNO(expression) (errno = 77, (expression), ledger_keep_errno(__LINE__))

static void ledger_keep_errno(int line) {
    if (errno != 77)
        ledger_fail("errno is 77 still", __FILE__, line);
}

int main(void) {
    void *p = NULL, *q = NULL, *r = NULL;
    KEEPS_ERRNO(p = GOT(malloc(100), 100));
    KEEPS_ERRNO(p = GOT(realloc(GONE(p), 3u << 20), 3u << 20));
    KEEPS_ERRNO(q = GOT(calloc(3, 100), 300));
    KEEPS_ERRNO(r = GOT(reallocarray(NULL, 3, 100), 300));
    KEEPS_ERRNO(CHECK(malloc_usable_size(q) >= 300));
    KEEPS_ERRNO(free(GONE(p)));
    KEEPS_ERRNO(free(GONE(q)));
    KEEPS_ERRNO(free(GONE(r)));
    KEEPS_ERRNO(p = GOT(aligned_alloc(64, 128), 128));
    KEEPS_ERRNO(q = GOT(memalign(64, 128), 128));
    KEEPS_ERRNO(r = GOT(valloc(128), 128));
    KEEPS_ERRNO(free(GONE(r)));
    KEEPS_ERRNO(free(NULL));
    KEEPS_ERRNO(CHECK(malloc_usable_size(NULL) == 0));
    return 0;
}
