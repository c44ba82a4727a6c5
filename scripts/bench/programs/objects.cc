/* objects.cc - a C++ program as many are: maps, strings and shared pointers, 20 to 30 calls deep.
 *
 *     objects ROUNDS          prints a checksum
 *
 * Builds documents as trees of named sections by recursion, indexes their words, looks words up and forgets
 * the oldest documents. The same rounds do the same. */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

uint64_t seed = 20240229;

unsigned choose(unsigned below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return static_cast<unsigned>(seed >> 33) % below;
}

std::string word() {
    static const char *const syllables[] = {"ka", "lo", "mi", "ren", "tu", "sha", "vel", "or"};
    std::string text;
    for (unsigned i = 0, n = 2 + choose(9); i < n; i++)
        text += syllables[choose(8)];
    return text;
}

struct Section;
using SectionPointer = std::shared_ptr<Section>;

struct Section {
    std::string title;
    std::map<std::string, std::string> attributes;
    std::vector<std::string> words;
    std::vector<SectionPointer> parts;
};

constexpr int depth_max = 24;

class Builder {
  public:
    SectionPointer section(int depth) {
        auto made = std::make_shared<Section>();
        made->title = word();
        for (unsigned i = choose(4); i > 0; i--)
            made->attributes[word()] = word();
        for (unsigned i = choose(6); i > 0; i--)
            made->words.push_back(word());
        add_parts(*made, depth);
        return made;
    }

  private:
    /* One part leads all the way down; now and then there is a second one. */
    __attribute__((noinline)) void add_parts(Section &section_of, int depth) {
        if (depth >= depth_max)
            return;
        section_of.parts.push_back(section(depth + 1));
        if (choose(12) == 0)
            section_of.parts.push_back(section(depth + 8));
    }
};

class Library {
  public:
    void add(SectionPointer document) {
        index(document, 0);
        documents_.push_back(std::move(document));
        if (documents_.size() > 40)
            documents_.pop_front();
    }

    size_t look_up(const std::string &wanted) const {
        auto found = postings_.find(wanted);
        size_t alive = 0;
        if (found != postings_.end())
            for (const auto &posting : found->second)
                alive += !posting.expired();
        return alive;
    }

    void tidy() {
        for (auto at = postings_.begin(); at != postings_.end();) {
            std::vector<std::weak_ptr<Section>> alive;
            for (auto &posting : at->second)
                if (!posting.expired())
                    alive.push_back(posting);
            at->second.swap(alive);
            at = at->second.empty() ? postings_.erase(at) : std::next(at);
        }
    }

  private:
    __attribute__((noinline)) void index(const SectionPointer &section, int depth) {
        for (const std::string &entry : section->words)
            postings_[entry.substr(0, 6)].push_back(section);
        for (const SectionPointer &part : section->parts)
            index(part, depth + 1);
    }

    std::deque<SectionPointer> documents_;
    std::unordered_map<std::string, std::vector<std::weak_ptr<Section>>> postings_;
};

} // namespace

int main(int argc, char **argv) {
    int rounds = argc > 1 ? std::atoi(argv[1]) : 1;
    Library library;
    size_t found = 0;
    for (int round = 0; round < rounds; round++) {
        library.add(Builder().section(0));
        for (int i = 0; i < 20; i++)
            found += library.look_up(word().substr(0, 6));
        if (round % 64 == 63)
            library.tidy();
    }
    std::printf("%zu\n", found);
    return 0;
}
