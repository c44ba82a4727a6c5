/* blocks.c - many live blocks from one stack, and their end.
 *
 *     blocks SIZE COUNT   prints resident bytes (before, with all blocks live and touched, after all frees)
 *                         and the bytes asked for
 *
 * SIZE 0 is a mix as in many heaps: three quarters of the blocks have 16 to 127 bytes, few have up to 32 KiB;
 * the mean is about 300 bytes. */
#define _GNU_SOURCE
#include "resident.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MIX_MAX_BYTES 32768

static uint64_t chance = 88172645463325252u;

static uint64_t choose(uint64_t below) {
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (chance >> 33) % below;
}

/* Ranges that grow fourfold and hold a quarter of what is left. */
static size_t mixed_bytes(void) {
    size_t least = 16, below = 128;
    while (below < MIX_MAX_BYTES && choose(4) == 0) {
        least = below;
        below *= 4;
    }
    return least + choose(below - least);
}

static size_t touch(void **blocks, size_t size_bytes, size_t count) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = size_bytes != 0 ? size_bytes : mixed_bytes();
        blocks[i] = malloc(bytes);
        if (blocks[i] == NULL)
            exit(1);
        memset(blocks[i], 1, bytes);
        total += bytes;
    }
    return total;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: blocks SIZE COUNT\n");
        return 2;
    }
    size_t size_bytes = strtoull(argv[1], NULL, 10), count = strtoull(argv[2], NULL, 10);
    /* All on the normal heap: a block of its own mapping would end on another page with a tracer or without.
     */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    void **blocks = mmap(NULL, count * sizeof *blocks, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (blocks == MAP_FAILED)
        return 1;
    setvbuf(stdout, NULL, _IONBF, 0);
    free(malloc(100)); /* what the first allocation sets up */
    long before = resident_bytes();
    size_t total = touch(blocks, size_bytes, count);
    long full = resident_bytes();
    for (size_t i = 0; i < count; i++)
        free(blocks[i]);
    malloc_trim(0);
    printf("%ld %ld %ld %zu\n", before, full, resident_bytes(), total);
    return 0;
}
