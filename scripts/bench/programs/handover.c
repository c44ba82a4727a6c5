/* handover.c - threads that allocate what other threads free.
 *
 *     handover THREADS PAIRS          prints: nanoseconds of CPU per pair, of the whole process
 *
 * Thread i allocates batches and hands them to thread i + 1, which frees them (one thread: to itself). Queues
 * are short and a thread that must wait sleeps, so that waiting costs no CPU. No deadlock: a thread takes as
 * many batches as it gives, so in a circle of waiting threads all queues would have to be full and empty. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define OUT_OF_LINE __attribute__((noinline))
#define AFTER_CALL  __asm__ volatile("" ::: "memory")
#define THREADS_MAX 64
#define BATCH       1024
#define QUEUE       4
#define BLOCK_BYTES 64
#define SPARE       (QUEUE + 2) /* batches in the queue, one being filled, one being emptied */

struct batch {
    void *blocks[BATCH];
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch *waiting[QUEUE];
    int first, count;
};

static struct queue queues[THREADS_MAX];
static struct batch batches[THREADS_MAX][SPARE];
static int threads;
static long rounds;

static void give(struct queue *queue, struct batch *batch) {
    pthread_mutex_lock(&queue->lock);
    while (queue->count == QUEUE)
        pthread_cond_wait(&queue->changed, &queue->lock);
    queue->waiting[(queue->first + queue->count++) % QUEUE] = batch;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

static struct batch *take(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0)
        pthread_cond_wait(&queue->changed, &queue->lock);
    struct batch *batch = queue->waiting[queue->first];
    queue->first = (queue->first + 1) % QUEUE;
    queue->count--;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    return batch;
}

OUT_OF_LINE static void *allocate(int depth) {
    void *block = depth > 0 ? allocate(depth - 1) : malloc(BLOCK_BYTES);
    AFTER_CALL;
    return block;
}

OUT_OF_LINE static void fill(struct batch *batch) {
    for (int i = 0; i < BATCH; i++)
        batch->blocks[i] = (i & 1) != 0 ? allocate(2) : allocate(4);
}

OUT_OF_LINE static void empty(struct batch *batch) {
    for (int i = 0; i < BATCH; i++)
        free(batch->blocks[i]);
}

static void *work(void *number) {
    int self = (int)(long)number;
    for (long round = 0; round < rounds; round++) {
        struct batch *batch = &batches[self][round % SPARE];
        fill(batch);
        give(&queues[(self + 1) % threads], batch);
        empty(take(&queues[self]));
    }
    return NULL;
}

static double cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char **argv) {
    pthread_t ids[THREADS_MAX];
    threads = argc == 3 ? atoi(argv[1]) : 0;
    if (threads < 1 || threads > THREADS_MAX) {
        fprintf(stderr, "usage: handover THREADS PAIRS (at most %d threads)\n", THREADS_MAX);
        return 2;
    }
    rounds = atol(argv[2]) / BATCH / threads + 1;
    for (int i = 0; i < threads; i++) {
        pthread_mutex_init(&queues[i].lock, NULL);
        pthread_cond_init(&queues[i].changed, NULL);
    }
    double start = cpu_ns();
    for (long i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, work, (void *)i) != 0)
            return 1;
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    printf("%.3f\n", (cpu_ns() - start) / (double)rounds / BATCH / threads);
    return 0;
}
