/* own_malloc.c - an executable with a malloc of its own, which the loader gives to everybody: the tracer sees
 * nothing of it, and must not mix it with the real one's blocks. */
#include "tally.h"

#include <stdint.h>
#include <string.h>

static _Alignas(16) char arena[1 << 20];
static size_t used;

void *malloc(size_t size_bytes) {
    size_t need = (size_bytes + 15) & ~(size_t)15;
    size_t at = __atomic_fetch_add(&used, need, __ATOMIC_RELAXED);
    return at + need <= sizeof arena ? arena + at : NULL;
}

void free(void *block) {
    (void)block;
}

void *calloc(size_t count, size_t size_bytes) {
    return malloc(count * size_bytes);
}

void *realloc(void *block, size_t size_bytes) {
    void *moved = malloc(size_bytes);
    if (moved && block)
        memmove(moved, block, size_bytes);
    return moved;
}

int main(void) {
    tally_drop_out();
    for (size_t i = 0; i < 100; i++) {
        char *p = malloc(50);
        CHECK((uintptr_t)p - (uintptr_t)arena < sizeof arena);
        p = realloc(p, 60);
        free(strdup("ours"));
        free(p);
    }
    say("own heap\n");
    return 0;
}
