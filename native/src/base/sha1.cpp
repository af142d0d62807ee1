// One block of SHA-1, RFC 3174 §6.1.
#include "base/sha1.hpp"

#include <algorithm>
#include <bit>

#include "base/sha1_block.hpp"

namespace flowclass::base {

namespace {

std::uint32_t word_at(const Sha1Block& block, std::size_t word) noexcept {
    return std::uint32_t{block[4 * word]} << 24U | std::uint32_t{block[4 * word + 1]} << 16U |
           std::uint32_t{block[4 * word + 2]} << 8U | block[4 * word + 3];
}

struct State {
    std::uint32_t a, b, c, d, e;
};

// The message schedule in a ring of 16 words (RFC 3174 §6.2).
template <std::size_t T>
std::uint32_t word(std::array<std::uint32_t, 16>& w) noexcept {
    if constexpr (T >= 16) {
        w[T % 16] = std::rotl(w[(T - 3) % 16] ^ w[(T - 8) % 16] ^ w[(T - 14) % 16] ^ w[T % 16], 1);
    }
    return w[T % 16];
}

// Five steps, after which every variable is back in its place: none is moved, the names turn
// instead.
template <std::size_t T, typename Mix>
void five(State& s, std::array<std::uint32_t, 16>& w, std::uint32_t k, Mix mix) noexcept {
    s.e += std::rotl(s.a, 5) + mix(s.b, s.c, s.d) + k + word<T>(w);
    s.b = std::rotl(s.b, 30);
    s.d += std::rotl(s.e, 5) + mix(s.a, s.b, s.c) + k + word<T + 1>(w);
    s.a = std::rotl(s.a, 30);
    s.c += std::rotl(s.d, 5) + mix(s.e, s.a, s.b) + k + word<T + 2>(w);
    s.e = std::rotl(s.e, 30);
    s.b += std::rotl(s.c, 5) + mix(s.d, s.e, s.a) + k + word<T + 3>(w);
    s.d = std::rotl(s.d, 30);
    s.a += std::rotl(s.b, 5) + mix(s.c, s.d, s.e) + k + word<T + 4>(w);
    s.c = std::rotl(s.c, 30);
}

template <std::size_t T, typename Mix>
void twenty(State& s, std::array<std::uint32_t, 16>& w, std::uint32_t k, Mix mix) noexcept {
    five<T>(s, w, k, mix);
    five<T + 5>(s, w, k, mix);
    five<T + 10>(s, w, k, mix);
    five<T + 15>(s, w, k, mix);
}

}  // namespace

Sha1Words sha1_block_plain(const Sha1Block& block) noexcept {
    std::array<std::uint32_t, 16> w{};
    for (std::size_t t = 0; t < 16; ++t) {
        w[t] = word_at(block, t);
    }
    const Sha1Words& start = kSha1Start;
    State state{start[0], start[1], start[2], start[3], start[4]};
    twenty<0>(state, w, 0x5a827999, [](auto b, auto c, auto d) { return d ^ (b & (c ^ d)); });
    twenty<20>(state, w, 0x6ed9eba1, [](auto b, auto c, auto d) { return b ^ c ^ d; });
    twenty<40>(
        state, w, 0x8f1bbcdc, [](auto b, auto c, auto d) { return (b & c) | (d & (b | c)); });
    twenty<60>(state, w, 0xca62c1d6, [](auto b, auto c, auto d) { return b ^ c ^ d; });
    return {start[0] + state.a,
            start[1] + state.b,
            start[2] + state.c,
            start[3] + state.d,
            start[4] + state.e};
}

Sha1Digest sha1_of_short(std::span<const std::uint8_t> message) noexcept {
    Sha1Block block{};
    const std::size_t length = std::min(message.size(), kSha1OneBlock);
    std::copy_n(message.begin(), length, block.begin());
    block[length] = 0x80;
    block[62] = static_cast<std::uint8_t>(length * 8 >> 8U);
    block[63] = static_cast<std::uint8_t>(length * 8);
    static const bool by_instructions = has_sha_instructions();
    const Sha1Words sum = by_instructions ? sha1_block_x86(block) : sha1_block_plain(block);
    Sha1Digest digest{};
    for (std::size_t index = 0; index < digest.size(); ++index) {
        digest[index] = static_cast<std::uint8_t>(sum[index / 4] >> (24U - 8U * (index % 4)));
    }
    return digest;
}

}  // namespace flowclass::base
