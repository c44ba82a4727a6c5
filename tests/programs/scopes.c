/* scopes.c - blocks in nested scopes, with tags, of several threads and of domains, and what is to be found.
 *
 * Prints `ready`, then takes two snapshots, labelled `before` and `after`. With each it prints what there is,
 * a line for each place that blocks are of, its fields separated by tabs:
 *
 *     LABEL THREAD SCOPE TAG DOMAIN LIVE_BLOCKS LIVE_BYTES ALLOCATIONS ALLOCATED_BYTES
 *
 * then a line LABEL alone, and waits for a line, or the end, of standard input. LIVE_* are of blocks that the
 * thread allocated, whoever freed them.
 *
 * Threads: four and the main one, one lock for the accounts.  Heap: what it tells of, alone. */
#define _GNU_SOURCE
#include "talks.h"

#include "heaptally.h"

#include <pthread.h>
#include <string.h>

enum { WORKERS = 4, ACCOUNTS = 64, DEPTH = 8, HEAP = 0, POOL = 7, DEVICE = 389047 };

struct account {
    pid_t thread;
    unsigned domain;
    char scope[64], tag[16];
    long live_blocks, live_bytes, allocations, allocated_bytes;
};

struct block {
    void *at;
    long bytes;
    struct account *account;
};

static struct account accounts[ACCOUNTS];
static size_t account_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static struct block parsed[WORKERS];

/* Where the thread is. A scope ends the tags that were set in it. */
static _Thread_local char scope[64], tags[DEPTH][16];
static _Thread_local size_t depth;

static void begin(const char *name) {
    EXPECT_EQUAL(heaptally_scope_begin(name), 0);
    if (depth != 0)
        strcat(scope, "/");
    strcat(scope, name);
    strcpy(tags[depth + 1], tags[depth]);
    depth++;
}

static void end(void) {
    EXPECT_EQUAL(heaptally_scope_end(), 0);
    char *slash = strrchr(scope, '/');
    *(slash != NULL ? slash : scope) = '\0';
    depth--;
}

static void tag(const char *text) {
    EXPECT_EQUAL(heaptally_set_tag(text), 0);
    strcpy(tags[depth], text);
}

/* The account of this place; the lock is held. */
static struct account *account_here(unsigned domain) {
    struct account *at = accounts;
    while (at < accounts + account_count &&
           (at->thread != gettid() || at->domain != domain || strcmp(at->scope, scope) != 0 ||
            strcmp(at->tag, tags[depth]) != 0))
        at++;
    if (at == accounts + account_count) {
        EXPECT(account_count++ < ACCOUNTS);
        at->thread = gettid();
        at->domain = domain;
        strcpy(at->scope, scope);
        strcpy(at->tag, tags[depth]);
    }
    return at;
}

static struct account *count(unsigned domain, long bytes) {
    pthread_mutex_lock(&lock);
    struct account *account = account_here(domain);
    account->live_blocks++;
    account->live_bytes += bytes;
    account->allocations++;
    account->allocated_bytes += bytes;
    pthread_mutex_unlock(&lock);
    return account;
}

static __attribute__((noinline)) struct block take(long bytes) {
    return (struct block){malloc((size_t)bytes), bytes, count(HEAP, bytes)};
}

static __attribute__((noinline)) void give(struct block block) {
    free(block.at);
    pthread_mutex_lock(&lock);
    block.account->live_blocks--;
    block.account->live_bytes -= block.bytes;
    pthread_mutex_unlock(&lock);
}

static __attribute__((noinline)) void take_from(unsigned domain, uintptr_t address, long bytes) {
    EXPECT_EQUAL(heaptally_track(domain, address, (size_t)bytes), 0);
    count(domain, bytes);
}

static void tell(const char *label) {
    char byte = '\0';
    EXPECT(heaptally_snapshot(label) != 0);
    for (struct account *at = accounts; at < accounts + account_count; at++)
        dprintf(STDOUT_FILENO, "%s\t%d\t%s\t%s\t%u\t%ld\t%ld\t%ld\t%ld\n", label, at->thread, at->scope,
                at->tag, at->domain, at->live_blocks, at->live_bytes, at->allocations, at->allocated_bytes);
    dprintf(STDOUT_FILENO, "%s\n", label);
    while (byte != '\n' && read(STDIN_FILENO, &byte, 1) == 1)
        ;
}

/* `own` is the thread's place in `parsed`. */
static void *work(void *own) {
    struct block *at = own;
    long i = at - parsed;
    pthread_barrier_wait(&barrier); /* so that all live at once, each with a slot of its own */
    begin("work");
    take(1000 + i);
    tag(i % 2 != 0 ? "odd" : "even");
    begin("parse");
    *at = take(200);
    begin("lex");
    give(take(10));
    take(30);
    end();
    end();
    take(4000);
    end();
    take(50);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier); /* the main thread looks around meanwhile */
    begin("work");
    begin("parse");
    take(70);
    end();
    end();
    begin("parse");
    take(5);
    end();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

int main(void) {
    pthread_t workers[WORKERS];
    dprintf(STDOUT_FILENO, "ready\n");
    EXPECT_EQUAL(heaptally_name_domain(DEVICE, "device"), 0);
    EXPECT_EQUAL(heaptally_name_domain(POOL, "pool"), 0);
    EXPECT_EQUAL(pthread_barrier_init(&barrier, NULL, WORKERS + 1), 0);
    take(100);
    tag("start");
    take(300);
    tag("");
    begin("work");
    take_from(POOL, 1, 500);
    end();
    take_from(POOL, 2, 600);
    take_from(DEVICE, 2, 7000);
    for (size_t i = 0; i < WORKERS; i++)
        EXPECT_EQUAL(pthread_create(&workers[i], NULL, work, &parsed[i]), 0);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    tell("before");
    give(parsed[0]);
    give(parsed[1]);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    tell("after");
    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    return 0;
}
