/* search_index.cc - a small search engine in memory, as an example of a program with a heap worth looking at.
 *
 * Reads commands from its standard input and answers each with a line on its standard output:
 *     add N         makes up N documents and indexes them
 *     query N       looks N pairs of words up; every answer is remembered, and never forgotten
 *     quit */
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

/* The same documents in every run. Words are as unequal in frequency as in a natural language. */
class Language {
  public:
    std::string word() {
        uint32_t rank = 1 + 20000 / (1 + next() % 20000);
        std::string text = "w";
        for (; rank > 0; rank /= 21)
            text += static_cast<char>('a' + rank % 21);
        return text + "ing";
    }

    uint32_t next() {
        state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
        return static_cast<uint32_t>(state_ >> 33);
    }

  private:
    uint64_t state_ = 42;
};

struct Document {
    uint32_t id;
    std::string title;
    std::vector<std::string> words;
};

struct Posting {
    std::shared_ptr<const Document> document;
    uint32_t position;
};

using Postings = std::vector<Posting>;

class Index {
  public:
    void add(std::shared_ptr<const Document> document) {
        documents_[document->id] = document;
        for (uint32_t i = 0; i < document->words.size(); i++)
            postings_[document->words[i]].push_back({document, i});
    }

    /* The ids of the documents that have both words. */
    std::vector<uint32_t> both(const std::string &first, const std::string &second) {
        std::vector<uint32_t> left = ids(first), right = ids(second), result;
        std::set_intersection(left.begin(), left.end(), right.begin(), right.end(),
                              std::back_inserter(result));
        return result;
    }

    size_t size() const {
        return documents_.size();
    }

  private:
    std::vector<uint32_t> ids(const std::string &word) {
        std::vector<uint32_t> result;
        for (const Posting &posting : postings_[word])
            if (result.empty() || result.back() != posting.document->id)
                result.push_back(posting.document->id);
        return result;
    }

    std::map<uint32_t, std::shared_ptr<const Document>> documents_;
    std::unordered_map<std::string, Postings> postings_;
};

class Engine {
  public:
    std::string add(int count) {
        for (int i = 0; i < count; i++)
            index_.add(make_document());
        return std::to_string(index_.size()) + " documents";
    }

    std::string query(int count) {
        for (int i = 0; i < count; i++) {
            std::string first = language_.word(), second = language_.word();
            remembered_[first + " " + second] = index_.both(first, second);
        }
        return std::to_string(remembered_.size()) + " answers remembered";
    }

  private:
    std::shared_ptr<const Document> make_document() {
        auto document = std::make_shared<Document>();
        document->id = next_id_++;
        document->title = "Document number " + std::to_string(document->id);
        size_t length = 20 + language_.next() % 60;
        for (size_t i = 0; i < length; i++)
            document->words.push_back(language_.word());
        return document;
    }

    Language language_;
    Index index_;
    std::unordered_map<std::string, std::vector<uint32_t>> remembered_;
    uint32_t next_id_ = 1;
};

} // namespace

int main() {
    Engine engine;
    std::string line, command;
    int count = 0;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        words >> command >> count;
        if (command == "quit")
            break;
        std::cout << (command == "add" ? engine.add(count) : engine.query(count)) << std::endl;
    }
    return 0;
}
