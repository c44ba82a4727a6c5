/* static_objects.cc - objects with static storage: made before main, here and in a library, destroyed after
 * it. */
#include "ledger.h"

namespace {

struct Holder {
    char *block;
    Holder() : block(GOT(new char[1234], 1234)) {}
    ~Holder() {
        delete[] GONE(block);
    }
};

struct Leaker {
    char *block;
    Leaker() : block(GOT(new char[567], 567)) {}
};

Holder holder;
Leaker leaker;

} // namespace

extern "C" void *plugin_block();

int main() {
    ledger_foreign("libstdc++.so.6");
    ledger_foreign("libplugin_linked.so"); /* its own static object: 1000 bytes, see plugin.cc */
    CHECK(plugin_block() != nullptr);
    return 0;
}
