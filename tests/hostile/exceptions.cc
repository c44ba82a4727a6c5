/* exceptions.cc - exceptions through a thousand frames, each with something to destroy, thrown while others
 * are being handled, and by operator new itself. */
#include "tally.h"

#include <exception>
#include <new>
#include <stdexcept>

namespace {

struct Owner {
    void *block;
    Owner() {
        block = TAKE(malloc(48), 48);
    }
    ~Owner() {
        free(DROP(block));
    }
};

__attribute__((noinline)) int descend(int depth) {
    Owner owner;
    if (depth == 0)
        throw std::runtime_error("from below");
    int below = descend(depth - 1);
    __asm__ volatile("" ::: "memory");
    return below + 1;
}

__attribute__((noinline)) void while_handling(int depth) {
    try {
        descend(20);
    } catch (const std::exception &) {
        void *block = TAKE(malloc(96), 96);
        if (depth > 0)
            while_handling(depth - 1);
        free(DROP(block));
    }
}

} // namespace

int main() {
    for (int i = 0; i < 20; i++) {
        try {
            descend(1000);
            tally_fail("it throws", __FILE__, __LINE__);
        } catch (const std::exception &) {
        }
    }
    while_handling(30);
    try {
        volatile size_t too_much = static_cast<size_t>(-1) / 4;
        char *volatile block = new char[too_much];
        delete[] block;
        tally_fail("new throws", __FILE__, __LINE__);
    } catch (const std::bad_alloc &) {
    }
    say("all caught\n");
    return 0;
}
