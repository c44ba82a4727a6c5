/* containers.cc - the line to blame: what containers allocate belongs to the line that filled them. */
#include "ledger.h"

#include <memory>
#include <string>
#include <vector>

namespace {

struct Node {
    char bytes[200];
};

using Numbers = std::vector<double>;
using Handle = std::unique_ptr<Node>;

void note(void *block, size_t size_bytes, int line) {
    ledger_enter(block, size_bytes, __FILE__, line);
}

} // namespace

int main() {
    ledger_foreign("libstdc++.so.6");
    auto &numbers = *GOT(new Numbers, sizeof(Numbers));
    numbers.reserve(1000), note(numbers.data(), 8000, __LINE__);
    auto &text = *GOT(new std::string, sizeof(std::string));
    text.assign(5000, 'x'), note(text.data(), 5001, __LINE__);
    auto &handle = *GOT(new Handle, sizeof(Handle));
    handle = std::make_unique<Node>(), note(handle.get(), sizeof(Node), __LINE__);
    return 0;
}
