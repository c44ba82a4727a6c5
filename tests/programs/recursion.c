/* recursion.c - allocations at depths far beyond HEAPTALLY_NFRAME, as a recursive parser makes them. */
#include "ledger.h"

static __attribute__((noinline)) void descend(int depth) {
    void *leaf = GOT(malloc(16), 16);
    if (depth > 0)
        descend(depth - 1);
    if (depth % 3)
        free(GONE(leaf));
}

int main(void) {
    descend(3000);
    return 0;
}
