/* victim.c PLUGIN - comes by every way on which the tracer calls the kernel, in an order that does not
 * change: its start, new stacks until the tables grow, a thread, a library that comes and goes, a forked
 * child, a large block, a snapshot of its own, the exit. */
#include "hostile/tally.h"
#include <heaptally.h>

#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static __attribute__((noinline)) void deep(int depth, void **kept) {
    *kept = TAKE(malloc(40), 40);
    if (depth > 0)
        deep(depth - 1, kept + 1);
    __asm__ volatile("" ::: "memory");
}

static void *thread(void *argument) {
    free(DROP(TAKE(calloc(1, 100), 100)));
    return argument;
}

static void plug(const char *path) {
    void *handle = dlopen(path, RTLD_NOW);
    CHECK(handle != NULL);
    void *(*take)(size_t);
    *(void **)&take = dlsym(handle, "plugin_take");
    free(take(30));
    CHECK(dlclose(handle) == 0);
}

static void child(void) {
    tally_drop_out();
    free(DROP(TAKE(malloc(50), 50)));
    exit(0);
}

int main(int argc, char **argv) {
    static void *kept[600];
    pthread_t id;
    int status;
    CHECK(argc == 2);
    tally_note("others"); /* the plugin's */
    deep(599, kept);
    CHECK(pthread_create(&id, NULL, thread, NULL) == 0 && pthread_join(id, NULL) == 0);
    plug(argv[1]);
    free(DROP(TAKE(malloc(50 << 20), 50 << 20)));
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        child();
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    if (heaptally_is_tracing())
        heaptally_snapshot("in \033[31m\nbetween\""); /* as harmless as a label can be made */
    for (int i = 0; i < 300; i++)
        free(DROP(kept[i]));
    say("unharmed\n");
    return 0;
}
