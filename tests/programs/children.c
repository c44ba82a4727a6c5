/* children.c - starts `program` in one of the ways there are, waits, and is itself right in its own ledger.
 *     children fork|vfork|spawn|system PROGRAM */
#include "ledger.h"

#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static pid_t start(const char *how, char *program) {
    char *arguments[] = {program, NULL};
    pid_t pid = -1;
    if (strcmp(how, "spawn") == 0)
        return posix_spawn(&pid, program, NULL, NULL, arguments, environ) == 0 ? pid : -1;
    pid = strcmp(how, "vfork") == 0 ? vfork() : fork();
    if (pid == 0) {
        execv(program, arguments);
        _exit(127);
    }
    return pid;
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    void *before = GOT(malloc(10), 10);
    int status = 0;
    pid_t pid = start(argv[1], argv[2]);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    void *after = GOT(malloc(20), 20);
    free(GONE(before));
    (void)after;
    return 0;
}
