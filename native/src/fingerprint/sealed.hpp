// Takes: octets that a protocol says are encrypted or random. Gives: whether they can be.
// Ciphertext has no favourite octets; headers, counters, text and padding do. The shortest spans
// judged are eight octets; a random span fails once in about a million, 64 octets of text always.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/byte_reader.hpp"

namespace flowclass::fingerprint {

inline constexpr std::size_t kLeastSealed = 8;

// Different octet values among the first 64: 64 random octets have 57 +- 2.4, base64 has 40.
inline bool looks_sealed(base::Bytes octets) noexcept {
    const base::Bytes judged = octets.first(std::min<std::size_t>(octets.size(), 64));
    std::array<std::uint8_t, 256> seen{};
    std::size_t different = 0;
    for (const std::uint8_t octet : judged) {
        different += 1U - seen[octet];
        seen[octet] = 1;
    }
    return judged.size() >= kLeastSealed && different * 16 >= judged.size() * 11 - 8;
}

// The kept octets [begin, end) of a payload, as far as they were captured.
inline base::Bytes part(base::Bytes payload, std::size_t begin, std::size_t end) noexcept {
    const std::size_t last = std::min(end, payload.size());
    return begin < last ? payload.subspan(begin, last - begin) : base::Bytes{};
}

// Captured octets that contradict: there are enough to judge, and they are not sealed.
inline bool is_plain(base::Bytes octets) noexcept {
    return octets.size() >= kLeastSealed && !looks_sealed(octets);
}

}  // namespace flowclass::fingerprint
