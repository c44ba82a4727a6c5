/* torture_libraries.cc - libraries that come and go: what was known of an address is no longer so. */
#include "torture.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>

namespace {

void call_in(const char *path) {
    void *library = dlopen(path, RTLD_NOW);
    void *symbol = library != nullptr ? dlsym(library, "torture_plugin_call") : nullptr;
    if (symbol == nullptr) {
        fprintf(stderr, "torture: %s\n", dlerror());
        exit(1);
    }
    void (*call)(void (*)(), int);
    memcpy(&call, &symbol, sizeof call);
    call(torture_visit, static_cast<int>(torture_choose(4)));
    dlclose(library);
}

} // namespace

void torture_libraries(const char *one, const char *two) {
    for (int i = 0; i < 4; i++)
        call_in(torture_choose(2) == 0 ? one : two);
}
