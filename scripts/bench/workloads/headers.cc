// A C++20 file whose cost is in its headers and templates; compiled, never run.
#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

template <unsigned N> struct Triangle { static constexpr unsigned long value = N + Triangle<N - 1>::value; };
template <> struct Triangle<0> { static constexpr unsigned long value = 0; };

using Value = std::variant<int, double, std::string, std::vector<int>>;

static std::string render(const Value &value) {
    return std::visit(
        [](const auto &held) -> std::string {
            std::ostringstream out;
            if constexpr (requires { out << held; })
                out << held;
            else
                for (int number : held)
                    out << number << ' ';
            return out.str();
        },
        value);
}

int main(int argc, char **argv) {
    std::map<std::string, std::vector<Value>> table;
    std::unordered_map<std::string, std::function<std::optional<int>(const std::string &)>> parsers;
    parsers["length"] = [&](const std::string &text) { return static_cast<int>(text.size() + table.size()); };
    const std::regex number("([0-9]+)(\\.[0-9]*)?");
    for (const std::string text : std::vector<std::string>(argv, argv + argc)) {
        std::smatch match;
        if (std::regex_match(text, match, number))
            table[text].emplace_back(std::stoi(match[1]));
        else
            table[text].emplace_back(text);
    }
    auto characters = std::accumulate(table.begin(), table.end(), 0ul, [](auto sum, auto &row) {
        return sum + render(row.second.front()).size();
    });
    std::cout << characters + Triangle<200>::value + *parsers["length"]("text") << '\n';
    return static_cast<int>(std::chrono::hours(1).count());
}
