/* stacks.c - many distinct stacks, and what a snapshot of them costs this program.
 *
 *     stacks COUNT memory     prints resident bytes: before, and when COUNT stacks have allocated
 *     stacks COUNT signal     raises SIGUSR2 and prints how many nanoseconds it took
 *     stacks COUNT outside    prints "ready" and goes on allocating. For each byte on standard input it
 * prints the longest time, in nanoseconds, that one malloc, free and reading of the clock took since the last
 * such byte; ends when standard input does
 *
 * Stack i takes the calls that the bits of i choose, from the lowest up, so that stacks of one after another
 * numbers differ from the outermost call on. One block is live for each stack. */
#define _GNU_SOURCE
#include "resident.h"

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define OUT_OF_LINE __attribute__((noinline))
#define AFTER_CALL  __asm__ volatile("" ::: "memory")
#define BLOCK_BYTES 16

/* The stores tell the two calls apart, or they would be made one. */
OUT_OF_LINE static void *allocate(uint64_t way, int depth) {
    volatile char turn;
    void *block;
    if (depth == 0) {
        block = malloc(BLOCK_BYTES);
    } else if ((way & 1) != 0) {
        block = allocate(way >> 1, depth - 1);
        turn = 1;
    } else {
        block = allocate(way >> 1, depth - 1);
        turn = 0;
    }
    AFTER_CALL;
    (void)turn;
    return block;
}

static int bits_of(uint64_t count) {
    int bits = 1;
    while (bits < 63 && count > (uint64_t)1 << bits)
        bits++;
    return bits;
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void time_signal(void) {
    uint64_t start = now_ns();
    raise(SIGUSR2);
    printf("%llu\n", (unsigned long long)(now_ns() - start));
}

/* True when there is a question; ends the program with standard input. */
static int asked(void) {
    char byte;
    struct pollfd input = {.fd = 0, .events = POLLIN};
    if (poll(&input, 1, 0) <= 0)
        return 0;
    if (read(0, &byte, 1) <= 0)
        exit(0);
    return 1;
}

static void measure_stalls(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("ready\n");
    for (;;) {
        uint64_t longest = 0, last = now_ns();
        do {
            for (int i = 0; i < 256; i++) {
                free(allocate((uint64_t)i, 4));
                uint64_t now = now_ns();
                longest = now - last > longest ? now - last : longest;
                last = now;
            }
            last = now_ns();
        } while (!asked());
        printf("%llu\n", (unsigned long long)longest);
    }
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: stacks COUNT memory|signal|outside\n");
        return 2;
    }
    uint64_t count = strtoull(argv[1], NULL, 10);
    int bits = bits_of(count);
    free(allocate(0, 0));
    long before = resident_bytes();
    for (uint64_t i = 0; i < count; i++)
        if (allocate(i, bits) == NULL)
            return 1;
    long after = resident_bytes();
    if (strcmp(argv[2], "signal") == 0)
        time_signal();
    else if (strcmp(argv[2], "outside") == 0)
        measure_stalls();
    else
        printf("%ld %ld\n", before, after);
    return 0;
}
