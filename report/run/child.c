/* child.c - see child.h.
 * Owns:    the dispositions of SIGINT, SIGQUIT, SIGTERM and SIGHUP once a child was started.
 * Holds:   signals are blocked from before the fork until both sides have the dispositions they keep.
 * Threads: one.  Signals: the handler only calls kill.  Heap: yes (environment). */
#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t forward_to;

static void forward(int signal_number) {
    int saved = errno;
    if (forward_to > 0)
        kill((pid_t)forward_to, signal_number);
    errno = saved;
}

/* What is ignored already (nohup) stays ignored. */
static void set_handler(int signal_number, void (*handler)(int)) {
    struct sigaction before, action = {.sa_handler = handler};
    if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(signal_number, &action, NULL);
}

static void take_signals(pid_t child) {
    forward_to = child;
    set_handler(SIGINT, SIG_IGN);
    set_handler(SIGQUIT, SIG_IGN);
    set_handler(SIGTERM, forward);
    set_handler(SIGHUP, forward);
}

static void set_variables(const struct child_variable *variables, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (variables[i].value != NULL && setenv(variables[i].name, variables[i].value, 1) != 0)
            _exit(126);
}

/* As execvp does where the kernel knows no format: the file is a script of the shell. */
static void run_shell(const char *path, char *const argv[]) {
    size_t count = 0;
    while (argv[count] != NULL)
        count++;
    char **arguments = calloc(count + 2, sizeof *arguments);
    if (arguments == NULL)
        return;
    arguments[0] = argv[0];
    arguments[1] = (char *)(uintptr_t)path;
    for (size_t i = 1; i < count; i++)
        arguments[i + 1] = argv[i];
    execv("/bin/sh", arguments);
}

static _Noreturn void become(const char *path, char *const argv[], int report) {
    execv(path, argv);
    if (errno == ENOEXEC)
        run_shell(path, argv);
    int why = errno;
    _exit(write(report, &why, sizeof why) < 0 ? 127 : 126);
}

/* The pipe closes when exec succeeds, and carries errno when it does not. */
static int read_failure(int fd) {
    int why = 0;
    ssize_t got;
    do
        got = read(fd, &why, sizeof why);
    while (got < 0 && errno == EINTR);
    close(fd);
    return got == (ssize_t)sizeof why ? why : 0;
}

static pid_t fork_and_exec(const char *path, char *const argv[], const struct child_variable *variables,
                           size_t count, int *why) {
    int ends[2];
    sigset_t all, before;
    struct sigaction reaping, plain = {.sa_handler = SIG_DFL};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        *why = errno;
        return -1;
    }
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    sigaction(SIGCHLD, &plain, &reaping); /* if it was ignored, no exit status would be left for us */
    pid_t pid = fork();
    if (pid == 0) {
        sigaction(SIGCHLD, &reaping, NULL);
        set_variables(variables, count);
        sigprocmask(SIG_SETMASK, &before, NULL);
        become(path, argv, ends[1]);
    }
    *why = pid < 0 ? errno : 0;
    if (pid > 0)
        take_signals(pid);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (pid < 0)
        close(ends[0]);
    else
        *why = read_failure(ends[0]);
    return pid;
}

pid_t child_start(const char *path, char *const argv[], const struct child_variable *variables, size_t count,
                  int *status, struct error *error) {
    int why, ignored;
    pid_t pid = fork_and_exec(path, argv, variables, count, &why);
    if (why == 0)
        return pid;
    if (pid > 0)
        child_wait(pid, -1, &ignored);
    *status = why == ENOENT ? 127 : 126;
    error_set(error, "run: %s: %s", path, strerror(why));
    return -1;
}

/* ---- waiting ---- */

static bool reap(pid_t pid, int flags, int *wait_status) {
    pid_t got;
    do
        got = waitpid(pid, wait_status, flags);
    while (got < 0 && errno == EINTR);
    return got == pid || (got < 0 && errno == ECHILD);
}

bool child_wait(pid_t pid, int timeout_ms, int *wait_status) {
    *wait_status = 0;
    if (timeout_ms < 0)
        return reap(pid, 0, wait_status);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0) {
        poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, timeout_ms);
        close(fd);
    } else { /* before Linux 5.3 */
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return reap(pid, WNOHANG, wait_status);
}

int child_exit_status(int wait_status) {
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
