/* heap_of_all_kinds.c - each function that allocates, for allocators that are put before or behind the
 * tracer. heap_of_all_kinds unseen      the allocator stands before the tracer: there is nothing to compare
 */
#define _GNU_SOURCE
#include "tally.h"

#include <malloc.h>
#include <string.h>

int main(int argc, char **argv) {
    void *aligned;
    (void)argv;
    if (argc > 1)
        tally_drop_out();
    for (size_t i = 0; i < 300; i++) {
        char *p = TAKE(malloc(20 + i), 20 + i);
        CHECK(malloc_usable_size(p) >= 20 + i);
        p = TAKE(realloc(DROP(p), 2000 + i), 2000 + i);
        p = DROP(p);
        p = TAKE(reallocarray(p, 30, 40), 1200);
        char *zero = TAKE(calloc(10, 30), 300);
        CHECK(zero[299] == 0);
        int error = posix_memalign(&aligned, 256, 500);
        CHECK(error == 0 && (size_t)aligned % 256 == 0);
        TAKE(memalign(512, 600), 600); /* these two stay */
        TAKE(aligned_alloc(64, 640), 640);
        free(DROP(p));
        free(DROP(zero));
        free(aligned); /* in no ledger */
    }
    tally_note("others"); /* posix_memalign's */
    say("a heap of all kinds\n");
    return 0;
}
