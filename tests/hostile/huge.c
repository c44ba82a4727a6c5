/* huge.c - sizes that no machine has, and the errno of each refusal. A refusal changes nothing. */
#define _GNU_SOURCE
#include "tally.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>

static void *volatile sink;

#define REFUSED(call)                                                                                        \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        sink = (call);                                                                                       \
        printf("%s: %s, errno %d\n", #call, sink ? "granted" : "refused", errno);                            \
    } while (0)

int main(void) {
    volatile size_t max = PTRDIFF_MAX, all = SIZE_MAX;
    void *kept = TAKE(malloc(70), 70), *out = NULL;
    setvbuf(stdout, NULL, _IONBF, 0);
    REFUSED(malloc(max));
    REFUSED(malloc(all));
    REFUSED(calloc(all / 2, 3));
    REFUSED(calloc(max, 1));
    REFUSED(realloc(kept, max));
    REFUSED(reallocarray(kept, all / 2, 4));
    REFUSED(memalign(4096, max));
    REFUSED(aligned_alloc(64, all));
    REFUSED(valloc(max));
    REFUSED(pvalloc(all));
    printf("posix_memalign: %d\n", posix_memalign(&out, 64, all));
    printf("posix_memalign: %d\n", posix_memalign(&out, 3, 10));
    kept = TAKE(realloc(DROP(kept), 80), 80);
    free(DROP(kept));
    return 0;
}
