// SipHash (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012) over 64-bit words, with c
// and d rounds as template parameters. 1-3 with a random key per process is for tables, but for
// that of flows (base/place_hash.hpp); 2-4 with fixed keys names flows.
#pragma once

#include <bit>
#include <cstdint>

namespace flowclass::base {

struct HashKey {
    std::uint64_t k0 = 0;
    std::uint64_t k1 = 0;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(k0, k1);
    }
};

template <int CompressRounds, int FinishRounds>
class SipHash {
  public:
    explicit SipHash(HashKey key) noexcept
        : v0_(key.k0 ^ 0x736f6d6570736575U),
          v1_(key.k1 ^ 0x646f72616e646f6dU),
          v2_(key.k0 ^ 0x6c7967656e657261U),
          v3_(key.k1 ^ 0x7465646279746573U) {}

    void add(std::uint64_t word) noexcept {
        v3_ ^= word;
        rounds<CompressRounds>();
        v0_ ^= word;
        bytes_ += 8;
    }

    // The last word of the standard: the message length in the top byte, no tail (whole words
    // only).
    [[nodiscard]] std::uint64_t finish() noexcept {
        add(bytes_ << 56U);
        v2_ ^= 0xffU;
        rounds<FinishRounds>();
        return v0_ ^ v1_ ^ v2_ ^ v3_;
    }

  private:
    template <int Count>
    void rounds() noexcept {
        for (int round = 0; round < Count; ++round) {
            v0_ += v1_;
            v1_ = std::rotl(v1_, 13) ^ v0_;
            v0_ = std::rotl(v0_, 32);
            v2_ += v3_;
            v3_ = std::rotl(v3_, 16) ^ v2_;
            v0_ += v3_;
            v3_ = std::rotl(v3_, 21) ^ v0_;
            v2_ += v1_;
            v1_ = std::rotl(v1_, 17) ^ v2_;
            v2_ = std::rotl(v2_, 32);
        }
    }

    std::uint64_t v0_, v1_, v2_, v3_;
    std::uint64_t bytes_ = 0;
};

using TableHash = SipHash<1, 3>;
using NameHash = SipHash<2, 4>;

// A key from the operating system's random source, for one engine's table.
HashKey random_hash_key();

}  // namespace flowclass::base
