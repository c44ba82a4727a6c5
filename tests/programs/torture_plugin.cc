/* torture_plugin.cc - a library whose functions have frames of TORTURE_ROOM bytes: built twice, the same call
 * is at the same offset with another distance to its caller. It allocates when it is loaded, too. */
#include <cstdlib>

#define EXPORTED  __attribute__((visibility("default")))
#define USE(room) __asm__ volatile("" ::"r"(room) : "memory")

namespace {

void *loaded = std::malloc(TORTURE_ROOM);

struct Unloading {
    ~Unloading() {
        std::free(loaded);
    }
} unloading;

} // namespace

extern "C" EXPORTED void torture_plugin_call(void (*visit)(), int depth) {
    char room[TORTURE_ROOM];
    USE(room);
    void *block = std::malloc(10);
    visit();
    if (depth > 0)
        torture_plugin_call(visit, depth - 1);
    std::free(block);
    USE(room);
}
