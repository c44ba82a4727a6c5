/* victim.c PLUGIN - comes by every way on which the tracer calls the kernel, in an order that does not
 * change: its start, new stacks until the tables grow, a thread, a library that comes and goes, a forked
 * child, a large block, blocks that live short or grow, more mappings than a table begins with, a snapshot of
 * its own, the exit. */
#define _GNU_SOURCE
#include "hostile/tally.h"
#include <heaptally.h>

#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 10000 };

static __attribute__((noinline)) void deep(int depth, void **kept) {
    *kept = TAKE(malloc(40), 40);
    if (depth > 0)
        deep(depth - 1, kept + 1);
    __asm__ volatile("" ::: "memory");
}

static void regrow(void) {
    void *block = TAKE(malloc(100), 100);
    for (size_t size = 200; size < 4 << 20; size *= 2) {
        block = TAKE(realloc(DROP(block), size), size);
        free(DROP(TAKE(malloc(60), 60)));
    }
    free(DROP(block));
}

static void *reserve(size_t pages) {
    void *at = mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

/* Every other page is unmapped, a part is replaced, moved and given back; the rest stays. */
static void map(void) {
    char *all = reserve(PAGES), *moved = reserve(4);
    for (size_t i = 0; i < PAGES; i += 2)
        CHECK(munmap(all + i * PAGE, PAGE) == 0);
    CHECK(mmap(all, 100 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == all);
    moved = mremap(moved, 4 * PAGE, 400 * PAGE, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED && munmap(moved, 200 * PAGE) == 0);
    CHECK(munmap(all, 200 * PAGE) == 0 && munmap(all, 1) == 0);
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
    regrow();
    map();
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
