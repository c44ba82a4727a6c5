/* new_delete.cc - every form of operator new and operator delete that C++17 has.
 * The size is what libstdc++'s operator asks the allocator for: 1 byte where the program asks for none, and
 * whole multiples of the alignment where it asks for one. */
#include "ledger.h"

#include <new>

namespace {

struct alignas(64) Wide {
    char bytes[128];
};

struct Plain {
    int values[5];
};

constexpr auto page = std::align_val_t(4096);

void expressions() {
    auto *one = GOT(new int(3), sizeof(int));
    auto *some = GOT(new int[10], 10 * sizeof(int));
    auto *plain = GOT(new Plain, sizeof(Plain));
    auto *wide = GOT(new Wide, sizeof(Wide));
    auto *wides = GOT(new Wide[3], 3 * sizeof(Wide));
    auto *quiet = GOT(new (std::nothrow) Plain, sizeof(Plain));
    auto *quiet_wide = GOT(new (std::nothrow) Wide[2], 2 * sizeof(Wide));
    CHECK(reinterpret_cast<size_t>(wide) % 64 == 0 && reinterpret_cast<size_t>(wides) % 64 == 0);
    delete GONE(one);
    delete[] GONE(some);
    delete GONE(wide);
    delete[] GONE(quiet_wide);
    (void)plain, (void)quiet;
}

void plain_forms() {
    ::operator delete(GONE(GOT(::operator new(21), 21)));
    ::operator delete(GONE(GOT(::operator new(22, std::nothrow), 22)), std::nothrow);
    ::operator delete(GONE(GOT(::operator new(23), 23)), size_t(23));
    ::operator delete[](GONE(GOT(::operator new[](24), 24)));
    ::operator delete[](GONE(GOT(::operator new[](25, std::nothrow), 25)), std::nothrow);
    ::operator delete[](GONE(GOT(::operator new[](26), 26)), size_t(26));
}

void aligned_forms() {
    ::operator delete(GONE(GOT(::operator new(31, page), 4096)), page);
    ::operator delete(GONE(GOT(::operator new(32, page, std::nothrow), 4096)), page, std::nothrow);
    ::operator delete(GONE(GOT(::operator new(33, page), 4096)), size_t(33), page);
    ::operator delete[](GONE(GOT(::operator new[](34, page), 4096)), page);
    ::operator delete[](GONE(GOT(::operator new[](35, page, std::nothrow), 4096)), page, std::nothrow);
    ::operator delete[](GONE(GOT(::operator new[](36, page), 4096)), size_t(36), page);
}

} // namespace

int main() {
    ledger_foreign("libstdc++.so.6"); /* its pool for exceptions in an emergency */
    expressions();
    plain_forms();
    aligned_forms();
    void *zero = GOT(::operator new(0), 1);
    void *last = GOT(::operator new(100, page), 4096);
    CHECK(reinterpret_cast<size_t>(last) % 4096 == 0);
    ::operator delete(nullptr);
    (void)zero;
    return 0;
}
