/* usable_size.c - malloc_usable_size is the allocator's own, and all of it may be used. */
#include "ledger.h"

#include <malloc.h>
#include <string.h>

int main(void) {
    for (size_t size = 0; size < 4096; size = size * 2 + 1) {
        char *p = GOT(malloc(size), size);
        size_t usable = malloc_usable_size(p);
        CHECK(usable == (size <= 24 ? 24 : (size + 8 + 15) / 16 * 16 - 8)); /* glibc's chunks, untouched */
        memset(p, 1, usable);
        if (size % 2)
            free(GONE(p));
    }
    return 0;
}
