/* peaks.c - many threads, or one, that rise together to several maxima, of which the second is the highest.
 *
 *     peaks THREADS
 *
 * Each wave ends at a barrier, and nothing is freed before it, so what is live at a maximum does not depend
 * on how the threads ran. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAVES = 4, SMALL = 400, LARGE = 10, THREADS_MAX = 64 };

static const size_t heights[WAVES] = {300, 900, 500, 700};
static pthread_barrier_t barrier;

static void *work(void *argument) {
    size_t self = (size_t)(uintptr_t)argument;
    void *small[SMALL], *large[LARGE], *grown;
    for (size_t wave = 0; wave < WAVES; wave++) {
        for (size_t i = 0; i < SMALL; i++)
            small[i] = malloc(heights[wave] + i % 37 + self);
        for (size_t i = 0; i < LARGE; i++)
            large[i] = calloc(heights[wave], 10 + i);
        grown = malloc(heights[wave]);
        grown = realloc(grown, 50 * heights[wave]);
        pthread_barrier_wait(&barrier);
        for (size_t i = 0; i < SMALL; i++)
            free(small[i]);
        for (size_t i = 0; i < LARGE; i++)
            free(large[i]);
        free(grown);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t ids[THREADS_MAX];
    int count = argc > 1 ? atoi(argv[1]) : 1;
    if (count < 1 || count > THREADS_MAX)
        return 2;
    char *base = malloc(12345);
    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    for (int i = 1; i < count; i++)
        if (pthread_create(&ids[i], NULL, work, (void *)(uintptr_t)i) != 0)
            return 3;
    work(NULL);
    for (int i = 1; i < count; i++)
        pthread_join(ids[i], NULL);
    free(base);
    return 0;
}
