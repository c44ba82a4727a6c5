/* clones.c vfork|spawn|clone_vm|raw_fork - children that share our memory until they become another program,
 * and one that no library function was told of. What a child in our memory allocates is ours. */
#define _GNU_SOURCE
#include "tally.h"

#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char *const nothing[] = {"true", NULL};
static void *shared[50];

static int in_our_memory(void *argument) {
    (void)argument;
    for (size_t i = 0; i < 50; i++)
        shared[i] = TAKE(malloc(60 + i), 60 + i);
    execv("/bin/true", nothing);
    _exit(1);
}

static pid_t by_vfork(void) {
    pid_t pid = vfork();
    if (pid == 0) {
        execv("/bin/true", nothing);
        _exit(1);
    }
    return pid;
}

static pid_t by_spawn(void) {
    pid_t pid;
    CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, nothing, environ) == 0);
    return pid;
}

static pid_t by_clone_vm(void) {
    static char stack[65536] __attribute__((aligned(16)));
    for (size_t i = 0; i < 50; i++)
        free(DROP(shared[i]));
    return clone(in_our_memory, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
}

static pid_t by_raw_fork(void) {
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        tally_forked();
        shared[0] = TAKE(realloc(DROP(shared[0]), 90), 90);
        tally_write();
        _exit(0);
    }
    return pid;
}

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    pid_t (*const start)(void) = strcmp(way, "vfork") == 0      ? by_vfork
                                 : strcmp(way, "spawn") == 0    ? by_spawn
                                 : strcmp(way, "clone_vm") == 0 ? by_clone_vm
                                                                : by_raw_fork;
    for (int i = 0; i < 20; i++) {
        int status;
        free(DROP(shared[0]));
        shared[0] = TAKE(malloc(40), 40);
        pid_t pid = start();
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    }
    say("twenty children\n");
    return 0;
}
