// Where a key lies among others: flows in their table, address pairs among threads. Takes: the
// words of a key and a secret. Gives: 64 bits. Guarantees: for who does not know the secret two
// keys fall together about as seldom as for random numbers. The words of a key are taken in pairs,
// each word added to a secret one, the pairs multiplied, the products summed: NH of UMAC (Black,
// Halevi, Krawczyk, Krovetz, Rogaway, CRYPTO 1999; RFC 4418 §5.2) with words of 64 bits, where two
// keys have one sum with a chance of 2^-64 at most. The same once more makes 64 bits of the sum's
// 128. A secret that got out costs time, not answers: the table notices and takes another.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/hash.hpp"

namespace flowclass::base {

class PlaceHash {
  public:
    static constexpr std::size_t kPairs = 5;

    explicit PlaceHash(HashKey secret) noexcept {
        NameHash stream(secret);
        for (std::uint64_t& word : secrets_) {
            stream.add(0);
            word = NameHash(stream).finish();
        }
    }

    // A sum of pairs: each pair has its own `place`, below kPairs, wherever it is added.
    class Sum {
      public:
        explicit Sum(const PlaceHash& hash) noexcept : secrets_(hash.secrets_) {}
        template <std::size_t kPlace>
        void add(std::uint64_t one, std::uint64_t other) noexcept {
            static_assert(kPlace < kPairs);
            sum_ += Wide{one + secrets_[2 * kPlace]} * (other + secrets_[2 * kPlace + 1]);
        }
        [[nodiscard]] std::uint64_t finish() const noexcept {
            const Wide product =
                Wide{static_cast<std::uint64_t>(sum_ >> 64U) + secrets_[2 * kPairs]} *
                (static_cast<std::uint64_t>(sum_) + secrets_[2 * kPairs + 1]);
            return static_cast<std::uint64_t>(product >> 64U) ^ static_cast<std::uint64_t>(product);
        }

      private:
        __extension__ using Wide = unsigned __int128;

        const std::array<std::uint64_t, 2 * kPairs + 2>& secrets_;
        Wide sum_ = 0;
    };

  private:
    std::array<std::uint64_t, 2 * kPairs + 2> secrets_{};
};

}  // namespace flowclass::base
