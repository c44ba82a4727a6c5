/* measure.c - runs one command and writes down what it cost.
 *
 *     measure REPORT CPU [NAME=VALUE...] COMMAND [ARGUMENT...]
 *
 * REPORT gets one line: microseconds of CPU, nanoseconds from before the start to after the end, peak
 * resident KiB, exit status (128 + number of a signal). CPU -1: any. The variables are the command's alone,
 * so that a library to be preloaded is not preloaded here.
 *
 * A program of its own because ru_maxrss begins with what the process held before exec: a copy of the
 * interpreter that runs the bench would be the peak of every small command. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static long long microseconds(struct timeval time) {
    return (long long)time.tv_sec * 1000000 + time.tv_usec;
}

static int pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpu < 0)
        return 0;
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

/* In the child: does not return. */
static void become(char **words, int cpu) {
    if (pin(cpu) != 0) {
        perror("measure: CPU");
        _exit(126);
    }
    while (*words != NULL && strchr(*words, '=') != NULL)
        putenv(*words++);
    if (*words != NULL)
        execvp(*words, words);
    fprintf(stderr, "measure: %s: %s\n", *words != NULL ? *words : "no command", strerror(errno));
    _exit(127);
}

int main(int argc, char **argv) {
    struct rusage usage;
    int status;
    FILE *report = argc > 3 ? fopen(argv[1], "we") : NULL;
    if (report == NULL) {
        fprintf(stderr, "usage: measure REPORT CPU [NAME=VALUE...] COMMAND [ARGUMENT...]\n");
        return 2;
    }
    long long start = now_ns();
    pid_t child = fork();
    if (child == 0)
        become(argv + 3, atoi(argv[2]));
    if (child < 0 || wait4(child, &status, 0, &usage) != child)
        return 1;
    long long spent = now_ns() - start;
    fprintf(report, "%lld %lld %ld %d\n", microseconds(usage.ru_utime) + microseconds(usage.ru_stime), spent,
            usage.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return fclose(report) == 0 ? 0 : 1;
}
