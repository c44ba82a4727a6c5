/* endless_threads.c FILE - three threads that allocate and free until somebody kills them, and a main that
 * takes snapshots. In FILE, a shared mapping, each keeps account before and after every call, so that whoever
 * kills it knows what the tracer must have counted: no less than was done, no more than was begun.
 *
 *     3 threads of 8 words: allocations begun, done, frees begun, done, and 4 unused; then 1 when all is
 * under way */
#include "tally.h"
#include <heaptally.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 3, RING = 64, SIZE = 100 };

struct account {
    uint64_t allocations_begun, allocations_done, frees_begun, frees_done, unused[4];
};

static struct book {
    struct account threads[THREADS];
    uint64_t under_way;
} * book;

static void more(uint64_t *count) {
    __atomic_store_n(count, *count + 1, __ATOMIC_SEQ_CST); /* before the call begins, after it has ended */
}

static __attribute__((noinline)) void *take(struct account *account, int depth) {
    void *block;
    if (depth > 0) {
        block = take(account, depth - 1);
    } else {
        more(&account->allocations_begun);
        block = malloc(SIZE);
        more(&account->allocations_done);
    }
    __asm__ volatile("" ::: "memory");
    return block;
}

static void *work(void *argument) {
    struct account *account = argument;
    void *ring[RING] = {NULL};
    for (unsigned i = 0;; i = i * 1103515245 + 12345) {
        void **place = &ring[i >> 16 & (RING - 1)];
        if (*place) {
            more(&account->frees_begun);
            free(*place);
            more(&account->frees_done);
        }
        *place = take(account, (int)(i >> 24 & 31));
    }
    return NULL;
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    int fd = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, sizeof *book) == 0);
    book = mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(book != MAP_FAILED);
    for (int i = 0; i < THREADS; i++) {
        pthread_t id;
        CHECK(pthread_create(&id, NULL, work, &book->threads[i]) == 0);
    }
    __atomic_store_n(&book->under_way, 1, __ATOMIC_RELEASE);
    for (;;) {
        nanosleep(&(struct timespec){0, 3000000}, NULL);
        if (heaptally_is_tracing())
            heaptally_snapshot("");
    }
}
