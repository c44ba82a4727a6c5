/* spawn_storm.c - threads that start programs by posix_spawn and vfork while others allocate: for a moment a
 * child runs in our memory, on our tables, under another pid. */
#define _GNU_SOURCE
#include "tally.h"

#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SPAWNERS = 2, ALLOCATORS = 2, EACH = 25 };

extern char **environ;
static volatile int stop;

static void *allocate(void *argument) {
    for (size_t i = 0; !stop; i++)
        free(DROP(TAKE(malloc(16 + i % 3000), 16 + i % 3000)));
    return argument;
}

static pid_t by_vfork(char *const *words) {
    pid_t pid = vfork();
    if (pid == 0)
        _exit(execv("/bin/true", words));
    return pid;
}

static void *spawn(void *argument) {
    char *const words[] = {"true", NULL};
    for (int i = 0; i < EACH; i++) {
        int status;
        pid_t pid;
        void *block = TAKE(calloc(1, 300), 300);
        if (i % 2 == 0)
            CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, words, environ) == 0);
        else
            pid = by_vfork(words);
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        free(DROP(block));
    }
    return argument;
}

int main(void) {
    pthread_t ids[SPAWNERS + ALLOCATORS];
    for (int i = 0; i < SPAWNERS + ALLOCATORS; i++)
        CHECK(pthread_create(&ids[i], NULL, i < SPAWNERS ? spawn : allocate, NULL) == 0);
    for (int i = 0; i < SPAWNERS; i++)
        CHECK(pthread_join(ids[i], NULL) == 0);
    stop = 1;
    for (int i = SPAWNERS; i < SPAWNERS + ALLOCATORS; i++)
        CHECK(pthread_join(ids[i], NULL) == 0);
    say("fifty programs\n");
    return 0;
}
