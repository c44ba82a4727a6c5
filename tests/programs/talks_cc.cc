// talks_cc.cc - heaptally.h from C++: scopes that an exception leaves, blocks of a pool, objects of new.
#include "talks.h"

#include "heaptally.h"

#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Scope {
    explicit Scope(const char *name) {
        EXPECT_EQUAL(heaptally_scope_begin(name), 0);
    }
    ~Scope() {
        EXPECT_EQUAL(heaptally_scope_end(), 0);
    }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;
};

// A pool of one's own: the program's part of it is told of block by block.
class Pool {
  public:
    explicit Pool(std::size_t bytes) : memory(new char[bytes]), used(0) {}
    void *take(std::size_t bytes) {
        void *block = memory.get() + used;
        used += bytes;
        EXPECT_EQUAL(heaptally_track(domain, reinterpret_cast<uintptr_t>(block), bytes), 0);
        return block;
    }
    void give_back(void *block) {
        EXPECT_EQUAL(heaptally_untrack(domain, reinterpret_cast<uintptr_t>(block)), 0);
    }
    static constexpr unsigned domain = 17;

  private:
    std::unique_ptr<char[]> memory;
    std::size_t used;
};

std::size_t current() {
    std::size_t now = 0, peak = 0;
    heaptally_get_traced_memory(&now, &peak);
    return now;
}

void leave_by_exception() {
    Scope scope("throws");
    std::string text(10000, 'x');
    throw std::runtime_error(text);
}

} // namespace

int main() {
    heaptally_scope scope{};
    try {
        leave_by_exception();
    } catch (const std::runtime_error &error) {
        EXPECT_EQUAL(std::strlen(error.what()), 10000);
    }
    EXPECT_EQUAL(heaptally_get_scope("throws", &scope), 0);
    EXPECT(scope.allocated_bytes >= 20000 &&
           scope.live_bytes == 0); // the text, and the copy in the exception
    EXPECT_EQUAL(heaptally_scope_end(), HEAPTALLY_FAILED);

    std::size_t before = current();
    Pool pool(100000);
    EXPECT_EQUAL(current(), before + 100000);
    void *first = pool.take(100), *second = pool.take(200);
    EXPECT_EQUAL(current(), before + 100300);
    pool.give_back(first);
    EXPECT_EQUAL(current(), before + 100200);
    pool.give_back(second);

    std::vector<std::unique_ptr<int>> numbers;
    numbers.reserve(1000);
    before = current();
    for (int i = 0; i < 1000; i++)
        numbers.push_back(std::make_unique<int>(i));
    EXPECT_EQUAL(current(), before + 1000 * sizeof(int));
    void *pcs[8];
    EXPECT(heaptally_get_block_traceback(numbers[0].get(), pcs, 8) >= 2);
    EXPECT(heaptally_snapshot("from C++") != 0);
    return 0;
}
