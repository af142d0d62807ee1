// A message put together from octets that came in any order. Takes: pieces with their offsets.
// Gives: how far the message is whole. Guarantees: fixed size; octets beyond the room are left out;
// a piece that says other octets than an earlier one for the same place is refused.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hello/client_hello.hpp"

namespace flowclass::hello {

class Assembly {
  public:
    explicit Assembly(std::span<std::uint8_t, kMaxHello> room) noexcept : room_(room) {}

    void clear() noexcept { there_ = {}; }

    // False: the piece contradicts what is there.
    bool place(std::uint64_t offset, Bytes octets) noexcept {
        if (offset >= kMaxHello || octets.empty()) {
            return true;
        }
        const auto begin = static_cast<std::size_t>(offset);
        const std::size_t end = begin + std::min(octets.size(), kMaxHello - begin);
        const Bytes fitting = octets.first(end - begin);
        const std::span<std::uint8_t> target = room_.subspan(begin, end - begin);
        if (!any(begin, end)) {
            std::copy(fitting.begin(), fitting.end(), target.begin());
            mark(begin, end);
            return true;
        }
        for (std::size_t at = begin; at < end; ++at) {
            const std::uint64_t bit = 1ULL << (at % 64U);
            std::uint64_t& word = there_[at / 64U];
            if ((word & bit) == 0) {
                word |= bit;
                target[at - begin] = fitting[at - begin];
            } else if (target[at - begin] != fitting[at - begin]) {
                return false;
            }
        }
        return true;
    }

    // The message's beginning without a gap.
    [[nodiscard]] Bytes whole() const noexcept {
        std::size_t length = 0;
        for (const std::uint64_t word : there_) {
            const auto ones = static_cast<std::size_t>(std::countr_one(word));
            length += ones;
            if (ones < 64) {
                break;
            }
        }
        return Bytes(room_).first(length);
    }

  private:
    // The bits of [begin, end) that lie in a word.
    static std::uint64_t mask(std::size_t word, std::size_t begin, std::size_t end) noexcept {
        const std::size_t first = word * 64;
        const std::size_t from = begin > first ? begin - first : 0;
        const std::size_t to = std::min<std::size_t>(end - first, 64);
        const std::uint64_t below_to = to == 64 ? ~0ULL : (1ULL << to) - 1U;
        return below_to & ~((1ULL << from) - 1U);
    }
    [[nodiscard]] bool any(std::size_t begin, std::size_t end) const noexcept {
        std::uint64_t found = 0;
        for (std::size_t word = begin / 64; word * 64 < end; ++word) {
            found |= there_[word] & mask(word, begin, end);
        }
        return found != 0;
    }
    void mark(std::size_t begin, std::size_t end) noexcept {
        for (std::size_t word = begin / 64; word * 64 < end; ++word) {
            there_[word] |= mask(word, begin, end);
        }
    }

    static_assert(kMaxHello % 64 == 0);
    std::span<std::uint8_t, kMaxHello> room_;
    std::array<std::uint64_t, kMaxHello / 64> there_{};
};

}  // namespace flowclass::hello
