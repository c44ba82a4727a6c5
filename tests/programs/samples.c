/* samples.c - known amounts from lines whose blocks are of very different sizes, for estimates to be compared
 * with. Prints a line of it for each: LINE SIZE ALLOCATIONS LIVE PEAK, in blocks but SIZE.
 *
 * The order is that of many programs: all lines in turn, of some blocks each is freed soon, of others late.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct kind {
    void *(*make)(void);
    int line;
    size_t size_bytes;
    unsigned allocations, live;
    void **kept; /* live ones, and those that are freed at the end */
    unsigned made, held;
};

#define KIND(name, size)                                                                                     \
    __attribute__((noinline)) static void *name(void) {                                                      \
        return malloc(size);                                                                                 \
    }                                                                                                        \
    enum { name##_line = __LINE__, name##_size = (size) };

/* Each on a line of its own: of its newest frame. */
KIND(of_16, 16)
KIND(of_24, 24)
KIND(of_64, 64)
KIND(of_200, 200)
KIND(of_1000, 1000)
KIND(of_4096, 4096)
KIND(of_10000, 10000)
KIND(of_65536, 65536)
KIND(of_100000, 100000)
KIND(of_262144, 262144)
KIND(of_500000, 500000)
KIND(of_1048576, 1048576)

#define ROW(name, count, lives)                                                                              \
    { name, name##_line, name##_size, count, lives, NULL, 0, 0 }

static struct kind kinds[] = {
    ROW(of_16, 400000, 300000), ROW(of_24, 300000, 200000), ROW(of_64, 200000, 150000),
    ROW(of_200, 100000, 60000), ROW(of_1000, 40000, 30000), ROW(of_4096, 15000, 10000),
    ROW(of_10000, 6000, 4000),  ROW(of_65536, 1500, 1000),  ROW(of_100000, 900, 600),
    ROW(of_262144, 400, 250),   ROW(of_500000, 200, 120),   ROW(of_1048576, 96, 60),
};
#define KINDS  (sizeof kinds / sizeof *kinds)
#define ROUNDS 1000

/* Half of those that do not live are freed at once, and their places taken again; the others at the end. */
static unsigned held_in_all(const struct kind *kind) {
    return kind->live + (kind->allocations - kind->live) / 2;
}

/* Whether the n-th of `of` is one of `some`, as evenly as can be. */
static int chosen(unsigned n, unsigned some, unsigned of) {
    return (uint64_t)(n + 1) * some / of != (uint64_t)n * some / of;
}

static void make(struct kind *kind) {
    void *block = kind->make();
    if (block == NULL)
        exit(3);
    if (chosen(kind->made++, held_in_all(kind), kind->allocations))
        kind->kept[kind->held++] = block;
    else
        free(block);
}

static void free_some(struct kind *kind) {
    for (unsigned i = 0; i < kind->held; i++)
        if (!chosen(i, kind->live, kind->held))
            free(kind->kept[i]);
}

int main(void) {
    static void *kept[1200000];
    void **next = kept;
    for (size_t i = 0; i < KINDS; i++) {
        kinds[i].kept = next;
        next += held_in_all(&kinds[i]);
    }
    for (unsigned round = 1; round <= ROUNDS; round++)
        for (size_t i = 0; i < KINDS; i++)
            while ((uint64_t)kinds[i].made * ROUNDS < (uint64_t)kinds[i].allocations * round)
                make(&kinds[i]);
    for (size_t i = 0; i < KINDS; i++)
        free_some(&kinds[i]);
    for (size_t i = 0; i < KINDS; i++)
        printf("%d %zu %u %u %u\n", kinds[i].line, kinds[i].size_bytes, kinds[i].allocations, kinds[i].live,
               kinds[i].held);
    return 0;
}
