// One block of SHA-1, RFC 3174 §6.1.
#include "base/sha1.hpp"

#include <algorithm>

namespace flowclass::base {

namespace {

std::uint32_t word_at(const std::array<std::uint8_t, 64>& block, std::size_t word) noexcept {
    return std::uint32_t{block[4 * word]} << 24U | std::uint32_t{block[4 * word + 1]} << 16U |
           std::uint32_t{block[4 * word + 2]} << 8U | block[4 * word + 3];
}

}  // namespace

Sha1Digest sha1_of_short(std::span<const std::uint8_t> message) noexcept {
    std::array<std::uint8_t, 64> block{};
    const std::size_t length = std::min(message.size(), kSha1OneBlock);
    std::copy_n(message.begin(), length, block.begin());
    block[length] = 0x80;
    block[62] = static_cast<std::uint8_t>(length * 8 >> 8U);
    block[63] = static_cast<std::uint8_t>(length * 8);
    std::array<std::uint32_t, 80> w{};
    for (std::size_t t = 0; t < 16; ++t) {
        w[t] = word_at(block, t);
    }
    for (std::size_t t = 16; t < 80; ++t) {
        w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    }
    const std::array<std::uint32_t, 5> start{
        0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    // Not a structured binding: clang before 16 does not let the lambda capture one.
    std::uint32_t a = start[0];
    std::uint32_t b = start[1];
    std::uint32_t c = start[2];
    std::uint32_t d = start[3];
    std::uint32_t e = start[4];
    const auto turn = [&](std::uint32_t f, std::uint32_t k, std::uint32_t word) {
        const std::uint32_t next = std::rotl(a, 5) + f + e + k + word;
        e = d;
        d = c;
        c = std::rotl(b, 30);
        b = a;
        a = next;
    };
    for (std::size_t t = 0; t < 20; ++t) {
        turn((b & c) | (~b & d), 0x5a827999, w[t]);
    }
    for (std::size_t t = 20; t < 40; ++t) {
        turn(b ^ c ^ d, 0x6ed9eba1, w[t]);
    }
    for (std::size_t t = 40; t < 60; ++t) {
        turn((b & c) | (b & d) | (c & d), 0x8f1bbcdc, w[t]);
    }
    for (std::size_t t = 60; t < 80; ++t) {
        turn(b ^ c ^ d, 0xca62c1d6, w[t]);
    }
    const std::array<std::uint32_t, 5> sum{
        start[0] + a, start[1] + b, start[2] + c, start[3] + d, start[4] + e};
    Sha1Digest digest{};
    for (std::size_t index = 0; index < digest.size(); ++index) {
        digest[index] = static_cast<std::uint8_t>(sum[index / 4] >> (24U - 8U * (index % 4)));
    }
    return digest;
}

}  // namespace flowclass::base
