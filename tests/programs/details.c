/* details.c - what HEAPTALLY_DETAILS counts, of lines that print what it must be:
 *
 *     LINE  NAME VALUE  NAME VALUE ...
 *
 * with the names of test_details.py. Each part allocates from lines of its own. Nothing else allocates
 * between the events of a part, so that lifetimes by count are exact. details fork: the last part in a child,
 * after which the parent frees the rest. */
#include "ledger.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char facts[8192];
static size_t facts_used;

#define FACT(...) (facts_used += (size_t)snprintf(facts + facts_used, sizeof facts - facts_used, __VA_ARGS__))

static void *kept[1000];

static void temporary(void) {
    void *after;
    for (int i = 0; i < 500; i++)
        free(malloc(100));
    FACT("%d temporary_blocks 500 temporary_bytes 50000 later0 500 size7 500 live7 0\n", __LINE__ - 1);
    for (int i = 0; i < 10; i++) {
        kept[0] = malloc(40);
        after = malloc(50); /* one later */
        free(kept[0]);
        free(after);
    }
    FACT("%d temporary_blocks 0 temporary_bytes 0 later1 10\n", __LINE__ - 5);
    FACT("%d temporary_blocks 10 temporary_bytes 500 later0 10\n", __LINE__ - 5);
}

static void sizes(void) {
    static const size_t all[] = {0, 1, 2, 3, 1023, 1024, 5000, 1 << 20};
    void *blocks[8];
    for (int i = 0; i < 8; i++)
        blocks[i] = malloc(all[i]);
    FACT("%d size0 1 size1 1 size2 2 size10 1 size11 1 size13 1 size21 1\n", __LINE__ - 1);
    FACT("%d live0 1 live2 1 live13 0 live21 1 temporary_blocks 0\n", __LINE__ - 2);
    free(blocks[2]);
    free(blocks[6]);
}

/* Of the first line each has 99 later ones when it dies, of the second from 99 to none. */
static void lifetimes(void) {
    for (int i = 0; i < 100; i++)
        kept[i] = malloc(64);
    FACT("%d later64 100 temporary_blocks 0\n", __LINE__ - 1); /* 64 to 127 */
    for (int i = 0; i < 100; i++) {
        free(kept[i]);
        kept[i] = malloc(65);
    }
    for (int i = 0; i < 100; i++)
        free(kept[i]);
    FACT("%d later0 1 later1 1 later2 2 later4 4 later8 8 later16 16 later32 32 later64 36\n", __LINE__ - 4);
}

static void resize(void) {
    char *p = malloc(100), *fence;
    p = realloc(p, 104); /* in its chunk */
    FACT("%d reallocs 1 realloc_bytes 104 moves 0 grown_in_place 1 shrunk_in_place 0\n", __LINE__ - 1);
    p = realloc(p, 90);
    FACT("%d reallocs 1 realloc_bytes 90 moves 0 grown_in_place 0 shrunk_in_place 1\n", __LINE__ - 1);
    p = realloc(p, 90);
    FACT("%d reallocs 1 realloc_bytes 90 moves 0 grown_in_place 0 shrunk_in_place 0\n", __LINE__ - 1);
    fence = malloc(24);
    p = realloc(p, 100000); /* something lies behind it */
    FACT("%d reallocs 1 realloc_bytes 100000 moves 1 moved_bytes 90 grown_in_place 0\n", __LINE__ - 1);
    CHECK(realloc(p, (size_t)-1 / 4 + (size_t)(p == NULL)) == NULL); /* refused: as if it had not been */
    free(p);
    FACT("%d later0 1 temporary_blocks 1 live17 0\n", __LINE__ - 4);
    p = realloc(NULL, 30); /* no realloc of a block */
    FACT("%d reallocs 0 moves 0 size5 1\n", __LINE__ - 1);
    free(fence);
}

static void waste(void) {
    size_t live = 0, all = 0;
    for (int i = 0; i < 40; i++) {
        kept[i] = malloc((size_t)(1 + 37 * i));
        all += malloc_usable_size(kept[i]) - (size_t)(1 + 37 * i);
    }
    for (int i = 0; i < 40; i += 2)
        free(kept[i]);
    for (int i = 1; i < 40; i += 2)
        live += malloc_usable_size(kept[i]) - (size_t)(1 + 37 * i);
    CHECK(live < all);
    FACT("%d waste_bytes %zu\n", __LINE__ - 8, live);
}

static void rest(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&time, &time) != 0)
        ;
}

/* Both sides of the measure: the test allows for a machine that is late. */
static void times(void) {
    void *brief = malloc(200), *old = malloc(300);
    FACT("%d age_ms 160\n", __LINE__ - 1);
    rest(40);
    free(brief);
    FACT("%d life_ms 40\n", __LINE__ - 4); /* of the block of 200 bytes */
    rest(120);
    CHECK(old != NULL);
}

static void *free_all(void *unused) {
    for (int i = 0; i < 300; i++)
        free(kept[i]);
    return unused;
}

/* Freed by another thread; lifetimes are in allocations of the one that allocated. */
static void hand_over(void) {
    pthread_t thread;
    for (int i = 0; i < 300; i++)
        kept[i] = malloc(5000);
    CHECK(pthread_create(&thread, NULL, free_all, NULL) == 0 && pthread_join(thread, NULL) == 0);
    FACT("%d handed 300 live13 0 size13 300\n", __LINE__ - 2);
}

static void in_child(void) {
    void *mine;
    for (int i = 0; i < 10; i++)
        free(kept[i]); /* of the parent's */
    mine = malloc(3);
    free(mine);
}

static void fork_one(void) {
    for (int i = 0; i < 30; i++)
        kept[i] = malloc(9000);
    FACT("%d size14 30 live14 30 child_live14 20 child_size14 30 child_later16 10\n", __LINE__ - 1);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        in_child();
        exit(0);
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "fork") == 0) {
        fork_one();
    } else {
        temporary();
        sizes();
        lifetimes();
        resize();
        waste();
        hand_over();
        times();
    }
    CHECK(facts_used < sizeof facts);
    CHECK(write(1, facts, facts_used) == (ssize_t)facts_used);
    return 0;
}
