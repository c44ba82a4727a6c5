/* pairs.c - what a pair of malloc and free costs, by the pattern of the stacks that it is called from.
 *
 *     pairs PATTERN DEPTH PAIRS       prints: nanoseconds of CPU per pair, pairs made
 *
 *     a   a loop DEPTH calls deep that allocates through four call sites: the upper frames stay
 *     t   trees built by recursive descent, three functions that call each other, up to DEPTH deep: one
 *         frame more or less from one allocation to the next
 *     f   each allocation DEPTH calls below the loop, on one of 32 ways down: all frames are other ones
 *
 * Patterns a and f keep 64 blocks live, t keeps a tree. The same arguments make the same stacks. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define OUT_OF_LINE __attribute__((noinline))
#define AFTER_CALL  __asm__ volatile("" ::: "memory") /* keeps the call from being a jump */
#define BLOCK_BYTES 64
#define RING        64

static void *ring[RING];
static uint64_t made, wanted;
static uint64_t chance = 88172645463325252u;

static uint64_t choose(void) {
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance;
}

static void keep(void *block) {
    free(ring[made % RING]);
    ring[made++ % RING] = block;
}

/* Frames of several sizes, so that an unwinder cannot live on one row. */
#define ROOM(bytes)                                                                                          \
    char room[bytes];                                                                                        \
    __asm__ volatile("" ::"r"(room) : "memory")

OUT_OF_LINE static void *allocate(void) {
    void *block = malloc(BLOCK_BYTES);
    AFTER_CALL;
    return block;
}

OUT_OF_LINE static void *allocate_deeper(void) {
    ROOM(24);
    void *block = allocate();
    AFTER_CALL;
    return block;
}

OUT_OF_LINE static void *allocate_deepest(void) {
    ROOM(72);
    void *block = allocate_deeper();
    AFTER_CALL;
    return block;
}

OUT_OF_LINE static void *allocate_elsewhere(void) {
    ROOM(40);
    void *block = malloc(BLOCK_BYTES);
    AFTER_CALL;
    return block;
}

/* ---- a: a loop far down ---- */

OUT_OF_LINE static void loop(void) {
    while (made < wanted)
        switch ((made * 0x9E3779B97F4A7C15u) >> 62) {
        case 0: keep(allocate()); break;
        case 1: keep(allocate_deeper()); break;
        case 2: keep(allocate_deepest()); break;
        default: keep(allocate_elsewhere()); break;
        }
}

/* 64 functions in a circle, each with a frame of its own size. */
#define STEP(number, next)                                                                                   \
    OUT_OF_LINE static void step##number(int depth) {                                                        \
        ROOM(16 + number % 7 * 16);                                                                          \
        if (depth <= 0)                                                                                      \
            loop();                                                                                          \
        else                                                                                                 \
            step##next(depth - 1);                                                                           \
        AFTER_CALL;                                                                                          \
    }
#define STEPS8(r, a, b, c, d, e, f, g, h)                                                                    \
    STEP(h, r) STEP(g, h) STEP(f, g) STEP(e, f) STEP(d, e) STEP(c, d) STEP(b, c) STEP(a, b)
static void step0(int depth);
STEPS8(0, 56, 57, 58, 59, 60, 61, 62, 63)
STEPS8(56, 48, 49, 50, 51, 52, 53, 54, 55)
STEPS8(48, 40, 41, 42, 43, 44, 45, 46, 47)
STEPS8(40, 32, 33, 34, 35, 36, 37, 38, 39)
STEPS8(32, 24, 25, 26, 27, 28, 29, 30, 31)
STEPS8(24, 16, 17, 18, 19, 20, 21, 22, 23)
STEPS8(16, 8, 9, 10, 11, 12, 13, 14, 15)
STEPS8(8, 0, 1, 2, 3, 4, 5, 6, 7)

static void pattern_a(int depth) {
    step0(depth > 3 ? depth - 3 : 0); /* main, this function and the loop are frames too */
}

/* ---- t: recursive descent ---- */

struct node {
    struct node *left, *right;
    char content[BLOCK_BYTES - 2 * sizeof(void *)];
};

OUT_OF_LINE static struct node *node_new(void) {
    struct node *node = malloc(sizeof *node);
    AFTER_CALL;
    if (node == NULL)
        abort();
    node->left = node->right = NULL;
    made++;
    return node;
}

static struct node *sum(int depth), *product(int depth), *factor(int depth);

/* On average fewer than two children, so that trees end. */
#define BUILDER(name, bytes, left_builder, right_builder)                                                    \
    OUT_OF_LINE static struct node *name(int depth) {                                                        \
        ROOM(bytes);                                                                                         \
        struct node *node = node_new();                                                                      \
        uint64_t dice = choose();                                                                            \
        if (depth > 0 && (dice & 7) != 0)                                                                    \
            node->left = left_builder(depth - 1);                                                            \
        if (depth > 0 && (dice & 24) == 0)                                                                   \
            node->right = right_builder(depth - 1);                                                          \
        AFTER_CALL;                                                                                          \
        return node;                                                                                         \
    }
BUILDER(sum, 40, product, factor)
BUILDER(product, 24, factor, sum)
BUILDER(factor, 72, sum, product)

static void node_free(struct node *node) {
    if (node == NULL)
        return;
    node_free(node->left);
    node_free(node->right);
    free(node);
}

static void pattern_t(int depth) {
    while (made < wanted)
        node_free(sum(depth));
}

/* ---- f: all frames change ---- */

OUT_OF_LINE static void *way_b(int depth, uint64_t way);

#define WAY(name, other)                                                                                     \
    OUT_OF_LINE static void *name(int depth, uint64_t way) {                                                 \
        ROOM(40);                                                                                            \
        void *block;                                                                                         \
        if (depth <= 0)                                                                                      \
            block = malloc(BLOCK_BYTES);                                                                     \
        else if ((way & 1) != 0)                                                                             \
            block = name(depth - 1, way >> 1);                                                               \
        else                                                                                                 \
            block = other(depth - 1, way >> 1);                                                              \
        AFTER_CALL;                                                                                          \
        return block;                                                                                        \
    }
WAY(way_a, way_b)
WAY(way_b, way_a)

static void pattern_f(int depth) {
    while (made < wanted)
        keep(way_a(depth, (choose() & 31) * 0x9E3779B97F4A7C15u));
}

static double cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: pairs a|t|f DEPTH PAIRS\n");
        return 2;
    }
    int depth = atoi(argv[2]);
    wanted = strtoull(argv[3], NULL, 10);
    double start = cpu_ns();
    switch (argv[1][0]) {
    case 'a': pattern_a(depth); break;
    case 't': pattern_t(depth); break;
    default: pattern_f(depth); break;
    }
    double spent = cpu_ns() - start;
    printf("%.3f %llu\n", spent / (double)made, (unsigned long long)made);
    return 0;
}
