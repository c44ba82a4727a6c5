/* plugins.c - two libraries that are loaded one after the other, the second most likely where the first was.
 * Each makes a block of its own size that survives it; the report must not confuse their functions.
 *     plugins LIBRARY LIBRARY     prints where each one's plugin_make was */
#include "ledger.h"

#include <dlfcn.h>
#include <stdio.h>

static void *survivors[2];

static void load_and_unload(const char *path, void **survivor) {
    void *library = dlopen(path, RTLD_NOW);
    CHECK(library != NULL);
    void *(*make)(void);
    *(void **)&make = dlsym(library, "plugin_make");
    CHECK(make != NULL);
    *survivor = make();
    printf("%p\n", *(void **)&make);
    CHECK(dlclose(library) == 0);
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    for (int i = 0; i < 2; i++)
        load_and_unload(argv[1 + i], &survivors[i]);
    return 0;
}
