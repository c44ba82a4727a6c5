/* plugin.cc - a library whose static object allocates PLUGIN_BYTES, and a function that allocates 10 more. */
#include <cstdlib>

namespace {

struct Object {
    void *block = std::malloc(PLUGIN_BYTES);
    ~Object() {
        std::free(block);
    }
};

Object object;

} // namespace

extern "C" __attribute__((visibility("default"))) void *plugin_block() {
    return object.block;
}

extern "C" __attribute__((visibility("default"))) void *plugin_make() {
    return std::malloc(10 + PLUGIN_BYTES);
}
