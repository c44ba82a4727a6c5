/* huge.c - blocks over 4 GiB, never touched: sizes that 32 bits do not hold. Status 77 where the kernel
 * refuses. */
#include "ledger.h"

#include <sys/mman.h>

static const size_t gib = (size_t)1 << 30;

int main(void) {
    void *probe = mmap(NULL, 20 * gib, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED)
        _Exit(77);
    CHECK(munmap(probe, 20 * gib) == 0);

    void *five = GOT(malloc(5 * gib), 5 * gib);
    void *border = GOT(calloc(1, 4 * gib - 1), 4 * gib - 1);
    five = GOT(realloc(GONE(five), 7 * gib), 7 * gib);
    free(GONE(border));
    void *exact = GOT(malloc(4 * gib), 4 * gib);
    (void)exact;
    return 0;
}
