/* containers.cc - the line to blame: what containers allocate belongs to the line that filled them.
 * The test asks for rows without --raw, and for live bytes alone: how a string grows is libstdc++'s affair.
 */
#include "ledger.h"

#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

struct Node {
    char bytes[200];
};

template <class T> void note(T *block, size_t size_bytes, int line) {
    ledger_enter(block, size_bytes, __FILE__, line);
}

} // namespace

int main() {
    ledger_foreign("libstdc++.so.6");
    static std::vector<double> numbers;
    numbers.reserve(1000), note(numbers.data(), 8000, __LINE__);
    static std::string text;
    text.assign(5000, 'x'), note(text.data() + 0, 5001, __LINE__);
    static auto unique = std::make_unique<Node>();
    note(unique.get(), sizeof(Node), __LINE__ - 1);
    ledger_write();
    _exit(0);
}
