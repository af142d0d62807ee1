// Takes: the octets that were kept of a flow's two directions. Gives: how many there are, and
// their Shannon entropy in bits an octet, of each direction and of both together.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/byte_reader.hpp"

namespace flowclass::feature {

struct HeadEntropy {
    bool known = false;  // a head was read
    std::array<std::uint32_t, 2> octets{};
    std::array<double, 3> bits{};  // by direction, then of both; 0 where there are no octets

    template <typename Archive>
    void keep(Archive& archive) {
        archive(known, octets, bits);
        archive.require(std::ranges::all_of(bits, [](double one) { return one >= 0 && one <= 8; }));
    }
};

HeadEntropy head_entropy(const std::array<base::Bytes, 2>& kept) noexcept;

}  // namespace flowclass::feature
