/* introspection.c - a program that looks at itself: its descriptors, threads, children, signals, and every
 * line of its maps. What it prints is what it finds without the tracer. */
#define _GNU_SOURCE
#include "tally.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static int entries(const char *path) {
    DIR *directory = opendir(path);
    int count = 0;
    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void read_maps(void) {
    char line[1024];
    unsigned long start, end, last = 0;
    int heap = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        CHECK(sscanf(line, "%lx-%lx", &start, &end) == 2 && start >= last && end > start);
        heap |= strstr(line, "[heap]") != NULL;
        last = end;
    }
    fclose(maps);
    printf("maps in order, %s\n", heap ? "with a heap" : "without a heap");
}

static void look_at_signals(void) {
    sigset_t blocked;
    stack_t stack;
    CHECK(sigprocmask(SIG_BLOCK, NULL, &blocked) == 0 && sigaltstack(NULL, &stack) == 0);
    for (int i = 1; i < 32; i++)
        printf("%d", sigismember(&blocked, i));
    printf(", alternate stack %s\n", stack.ss_flags & SS_DISABLE ? "none" : "there");
    for (int i = 1; i < 32; i++) {
        struct sigaction action;
        if (i != SIGUSR2 && sigaction(i, NULL, &action) == 0) /* the one that libheaptally(7) says it takes */
            printf("%d", action.sa_handler != SIG_DFL);
    }
    printf("\n");
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    free(DROP(TAKE(malloc(100), 100)));
    printf("%d descriptors, %d threads\n", entries("/proc/self/fd"), entries("/proc/self/task"));
    errno = 0;
    pid_t child = waitpid(-1, NULL, WNOHANG);
    printf("waitpid %d, errno %d\n", (int)child, errno);
    printf("dumpable %d, timer slack %d\n", prctl(PR_GET_DUMPABLE), prctl(PR_GET_TIMERSLACK));
    read_maps();
    look_at_signals();
    return 0;
}
