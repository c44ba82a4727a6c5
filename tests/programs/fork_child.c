/* fork_child.c - a child without exec: it frees what it inherited and makes its own; both ledgers are right.
 *     fork_child [threads]     with other threads around in the parent */
#include "ledger.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void *wait_for_ever(void *argument) {
    for (;;)
        pause();
    return argument;
}

static void child(void **inherited) {
    ledger_forked();
    free(GONE(inherited[0]));
    void *own = GOT(malloc(5000), 5000);
    void *scratch = GOT(malloc(70), 70);
    free(GONE(scratch));
    (void)own;
    exit(7);
}

int main(int argc, char **argv) {
    void *inherited[3];
    (void)argv;
    if (argc > 1) {
        pthread_t thread;
        ledger_threads();
        ledger_foreign("ld-linux-x86-64.so.2");
        CHECK(pthread_create(&thread, NULL, wait_for_ever, NULL) == 0);
    }
    for (int i = 0; i < 3; i++)
        inherited[i] = GOT(malloc(100), 100);
    free(GONE(inherited[2]));
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        child(inherited);
    void *after = GOT(malloc(300), 300);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    free(GONE(inherited[1]));
    (void)after;
    return 0;
}
