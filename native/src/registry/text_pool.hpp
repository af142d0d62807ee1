// Texts back to back, each once, named by number. Takes: texts one by one, or two arrays from a
// file. Gives: the text of a number. Guarantees: a number below size() gives a text inside the pool
// where text_defect() is nullptr.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "registry/array.hpp"

namespace flowclass::registry {

struct TextPool {
    Array<std::uint32_t> bounds;  // text i is [bounds[i], bounds[i + 1])
    Array<char> octets;

    [[nodiscard]] std::size_t size() const noexcept {
        return bounds.empty() ? 0 : bounds.size() - 1;
    }
    [[nodiscard]] std::string_view operator[](std::uint32_t text) const noexcept {
        const auto found = octets.span().subspan(bounds[text], bounds[text + 1] - bounds[text]);
        return {found.data(), found.size()};
    }
};

// What is wrong with a pool that came from a file, or nullptr.
const char* text_defect(const TextPool& pool);

// RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

class TextPoolBuilder {
  public:
    std::uint32_t add(std::string_view text);
    // Nothing where the texts have more octets than their bounds can count.
    std::optional<TextPool> finish();

  private:
    [[nodiscard]] std::string_view text(std::uint32_t number) const noexcept;
    // Where a text is in the table, or the free place where it belongs.
    [[nodiscard]] std::size_t place_of(std::string_view text) const noexcept;
    void grow();

    std::vector<std::uint32_t> table_ = std::vector<std::uint32_t>(64);  // numbers + 1; 0 is free
    std::vector<std::uint32_t> bounds_{0};
    std::vector<char> octets_;
    bool too_long_ = false;
};

}  // namespace flowclass::registry
