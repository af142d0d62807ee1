// SHA-1 (RFC 3174) of short messages, for Community ID alone: no security rests on it. Written here
// because the build must not need a cryptography library; tests compare it with Python's hashlib.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace flowclass::base {

using Sha1Digest = std::array<std::uint8_t, 20>;

// At most 55 octets: one block.
inline constexpr std::size_t kSha1OneBlock = 55;
Sha1Digest sha1_of_short(std::span<const std::uint8_t> message) noexcept;

}  // namespace flowclass::base
