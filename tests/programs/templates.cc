// templates.cc - what templates and inlining do to lines: nothing is a function of its own any more.
//
// Compiled with -O2. Every level is a template or a lambda that is inlined into the next one, and all of it,
// with the containers, into a few functions. Memory goes up and down; its maximum is in the middle.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace {

template <class T, size_t N> struct Chunk { T items[N]; };

template <class T> struct Stack {
    std::vector<std::unique_ptr<T>> chunks;
    template <class... Arguments> T &push(Arguments &&...arguments) {
        chunks.push_back(std::make_unique<T>(std::forward<Arguments>(arguments)...));
        return *chunks.back();
    }
};

template <class Map, class Key> auto &slot(Map &map, Key &&key) {
    return map[std::forward<Key>(key)];
}

template <size_t... Sizes, class Each> void for_sizes(std::index_sequence<Sizes...>, Each each) {
    (each(std::integral_constant<size_t, Sizes * 8 + 8>{}), ...);
}

template <size_t N> struct Bytes { std::unique_ptr<char[]> at{new char[N]}; };

template <class T> T *plain(size_t count) {
    return static_cast<T *>(::operator new(count * sizeof(T)));
}

struct Round {
    Stack<Chunk<uint64_t, 12>> stack;
    std::map<std::string, std::vector<int>> index;
    std::deque<std::function<size_t()>> work;
    size_t total = 0;

    void fill(size_t count) {
        for (size_t i = 0; i < count; i++) {
            stack.push();
            slot(index, "a key that is too long to be kept inside " + std::to_string(i % 50))
                .push_back(int(i));
            work.emplace_back(
                [this, i, text = std::string(20 + i % 30, 'x')] { return text.size() + i + total; });
        }
        for_sizes(std::make_index_sequence<8>{}, [this](auto size) {
            Bytes<size.value> bytes;
            total += bytes.at[size.value - 1] = char(size.value);
        });
        auto *numbers = plain<uint32_t>(count);
        std::iota(numbers, numbers + count, 0u);
        total += std::accumulate(numbers, numbers + count, size_t(0));
        ::operator delete(numbers);
    }

    size_t drain() {
        size_t sum = 0;
        while (!work.empty()) {
            sum += work.front()();
            work.pop_front();
        }
        return sum;
    }
};

} // namespace

int main() {
    static const size_t counts[] = {100, 1000, 300};
    size_t sum = 0;
    std::vector<std::unique_ptr<Round>> kept;
    for (size_t count : counts) {
        auto round = std::make_unique<Round>();
        round->fill(count);
        sum += round->drain() + round->total;
        if (count != 1000)
            kept.push_back(std::move(round));
    }
    auto *leaked = new std::vector<std::string>(7, std::string(100, 'y'));
    std::sort(leaked->begin(), leaked->end());
    return sum == 0 || leaked->empty();
}
