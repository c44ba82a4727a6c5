/* plugins.c PLUGIN loop|namespace|deepbind - a library that comes and goes while threads allocate inside of
 * it; in a namespace of its own, with a libc of its own; and with its own symbols first. In the last two its
 * malloc is not the interposed one: its blocks are nobody's, and its free of a block of ours goes unseen. */
#define _GNU_SOURCE
#include "tally.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

enum { THREADS = 3, LOOPS = 150 };

static const char *path;

struct plugin {
    void *handle;
    void *(*take)(size_t size_bytes);
    void (*give)(void *block);
    int line;
};

static struct plugin open_plugin(void *handle) {
    struct plugin plugin = {.handle = handle};
    CHECK(handle != NULL);
    *(void **)&plugin.take = dlsym(handle, "plugin_take");
    *(void **)&plugin.give = dlsym(handle, "plugin_give");
    plugin.line = *(const int *)dlsym(handle, "plugin_line");
    return plugin;
}

static void *loop(void *argument) {
    for (int i = 0; i < LOOPS; i++) {
        struct plugin plugin = open_plugin(dlopen(path, i % 2 ? RTLD_NOW : RTLD_LAZY));
        void *kept = tally_take(plugin.take(64), 64, "plugin.c", plugin.line);
        for (int j = 0; j < 10; j++)
            plugin.give(DROP(tally_take(plugin.take(32), 32, "plugin.c", plugin.line)));
        CHECK(dlclose(plugin.handle) == 0);
        free(DROP(kept));
    }
    return argument;
}

static void stranger(void *handle) {
    struct plugin plugin = open_plugin(handle);
    for (int i = 0; i < 100; i++) {
        plugin.give(plugin.take(100));
        free(DROP(TAKE(malloc(50), 50)));
    }
    CHECK(dlclose(handle) == 0);
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    path = argv[1];
    if (strcmp(argv[2], "loop") == 0) {
        pthread_t ids[THREADS];
        for (int i = 0; i < THREADS; i++)
            CHECK(pthread_create(&ids[i], NULL, loop, NULL) == 0);
        for (int i = 0; i < THREADS; i++)
            CHECK(pthread_join(ids[i], NULL) == 0);
    } else if (strcmp(argv[2], "namespace") == 0) {
        stranger(dlmopen(LM_ID_NEWLM, path, RTLD_NOW));
    } else {
        stranger(dlopen(path, RTLD_NOW | RTLD_DEEPBIND));
    }
    say("plugged and unplugged\n");
    return 0;
}
