/* new_failures.cc - operator new that cannot: bad_alloc, null from nothrow, and the new handler's part in it.
 */
#include "ledger.h"

#include <cstdint>
#include <new>

namespace {

volatile size_t huge = PTRDIFF_MAX;
int handler_calls;
void *volatile sink; /* a result that nobody keeps is a call that the compiler may leave out */

void give_up_at_the_third_call() {
    if (++handler_calls == 3)
        std::set_new_handler(nullptr);
}

template <class Allocate> bool throws_bad_alloc(Allocate allocate) {
    try {
        allocate();
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

} // namespace

int main() {
    constexpr auto line = std::align_val_t(64);
    ledger_foreign("libstdc++.so.6"); /* thrown exceptions, and the pool for an emergency */
    void *kept = GOT(::operator new(10), 10);
    CHECK(throws_bad_alloc([] { sink = ::operator new(huge); }));
    CHECK(throws_bad_alloc([] { sink = ::operator new[](huge); }));
    CHECK(throws_bad_alloc([] { sink = ::operator new(huge, line); }));
    CHECK(throws_bad_alloc([] { sink = ::operator new[](huge, line); }));
    CHECK(::operator new(huge, std::nothrow) == nullptr);
    CHECK(::operator new[](huge, std::nothrow) == nullptr);
    CHECK(::operator new(huge, line, std::nothrow) == nullptr);
    CHECK(::operator new[](huge, line, std::nothrow) == nullptr);

    std::set_new_handler(give_up_at_the_third_call);
    CHECK(throws_bad_alloc([] { sink = ::operator new(huge); }) && handler_calls == 3);
    handler_calls = 0;
    std::set_new_handler(give_up_at_the_third_call);
    CHECK(::operator new(huge, std::nothrow) == nullptr &&handler_calls == 3);
    (void)kept;
    return 0;
}
