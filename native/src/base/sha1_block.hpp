// One block of SHA-1 from the standard's start, in two equal forms: plain C++, and the processor's
// own instructions where it has them. base/sha1.cpp chooses once; a test compares them.
#pragma once

#include <array>
#include <cstdint>

namespace flowclass::base {

using Sha1Block = std::array<std::uint8_t, 64>;
using Sha1Words = std::array<std::uint32_t, 5>;

inline constexpr Sha1Words kSha1Start{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

Sha1Words sha1_block_plain(const Sha1Block& block) noexcept;

// x86-64 with the SHA extensions. On other processors it is the plain form, and
// has_sha_instructions() is false.
bool has_sha_instructions() noexcept;
Sha1Words sha1_block_x86(const Sha1Block& block) noexcept;

}  // namespace flowclass::base
