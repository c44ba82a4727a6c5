/* exit_ways.c - ends in one of the ways a program can end, its ledger written just before.
 *     exit_ways return|exit|_exit|quick_exit|abort|segv|kill|thread|main_thread */
#include "ledger.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void *exit_from_thread(void *argument) {
    (void)argument;
    exit(5);
}

static void *outlive_main(void *argument) {
    pthread_join(*(pthread_t *)argument, NULL);
    void *late = GOT(malloc(64), 64);
    (void)late;
    return NULL; /* the last thread: the process exits with status 0 */
}

static void run_thread(void *(*body)(void *)) {
    static pthread_t self, thread;
    self = pthread_self();
    ledger_threads();
    ledger_foreign("ld-linux-x86-64.so.2");
    CHECK(pthread_create(&thread, NULL, body, &self) == 0);
    if (body == outlive_main)
        pthread_exit(NULL);
    for (;;)
        pause();
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    const char *way = argv[1];
    void *kept = GOT(malloc(1000), 1000), *gone = GOT(malloc(500), 500);
    free(GONE(gone));
    (void)kept;
    if (strcmp(way, "thread") == 0)
        run_thread(exit_from_thread);
    if (strcmp(way, "main_thread") == 0)
        run_thread(outlive_main);
    if (strcmp(way, "return") == 0)
        return 5;
    if (strcmp(way, "exit") == 0)
        exit(5);
    ledger_write();
    if (strcmp(way, "_exit") == 0)
        _exit(5);
    if (strcmp(way, "quick_exit") == 0)
        quick_exit(5);
    if (strcmp(way, "abort") == 0)
        abort();
    raise(strcmp(way, "segv") == 0 ? SIGSEGV : SIGKILL);
    return 2;
}
