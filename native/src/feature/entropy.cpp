// H = sum over octet values of c/n log2(n/c) (C. E. Shannon, "A Mathematical Theory of
// Communication", 1948, §6), c = how often the value occurs among n octets; that is
// (n log2(n) - sum of c log2(c)) / n.
#include "feature/entropy.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace flowclass::feature {

namespace {

constexpr std::size_t kValues = 256;
using Histogram = std::array<std::uint32_t, kValues>;

// c log2(c), in whole numbers of 2^-44: their sums are exact, so that one value alone has an
// entropy of exactly 0, and they need no branch for values that do not occur. 61 bits hold those of
// a head.
class Weights {
  public:
    Weights() noexcept {
        for (std::uint32_t count = 1; count < small_.size(); ++count) {
            small_[count] = weigh(count);
        }
        for (std::size_t count = 0; count < growth_.size(); ++count) {
            growth_[count] = small_[count + 1] - small_[count];
        }
    }
    [[nodiscard]] bool has(std::uint32_t count) const noexcept { return count < small_.size(); }
    [[nodiscard]] std::uint64_t of(std::uint32_t count) const noexcept {
        return has(count) ? small_[count] : weigh(count);
    }
    // By how much that of one more is greater.
    [[nodiscard]] std::uint64_t growth(std::uint8_t count) const noexcept { return growth_[count]; }
    // Of a count that it has.
    [[nodiscard]] std::uint64_t known(std::uint32_t count) const noexcept { return small_[count]; }
    static double bits(std::uint64_t weight) noexcept {
        return std::ldexp(static_cast<double>(weight), -kPlaces);
    }

  private:
    static constexpr int kPlaces = 44;
    static std::uint64_t weigh(std::uint32_t count) noexcept {
        const auto number = static_cast<double>(count);
        return static_cast<std::uint64_t>(
            std::llround(std::ldexp(number * std::log2(number), kPlaces)));
    }
    std::array<std::uint64_t, 256> growth_{};
    std::array<std::uint64_t, 8193> small_{};  // a head keeps at most 4 KiB of a direction
};

// Runs of one value would wait for each other's sum, so neighbours are counted apart.
Histogram count_values(base::Bytes octets) noexcept {
    Histogram even{};
    Histogram odd{};
    std::size_t at = 0;
    for (; at + 4 <= octets.size(); at += 4) {
        ++even[octets[at]];
        ++odd[octets[at + 1]];
        ++even[octets[at + 2]];
        ++odd[octets[at + 3]];
    }
    for (; at < octets.size(); ++at) {
        ++even[octets[at]];
    }
    for (std::size_t value = 0; value < kValues; ++value) {
        even[value] += odd[value];
    }
    return even;
}

// Few octets have few values, and looking at all others would cost most: with one more octet of a
// value that was there c times, its part of the sum grows by w(c + 1) - w(c). Both directions
// together begin with what the first has.
constexpr std::size_t kFew = 255;

std::array<std::uint64_t, 3> weigh_few(const std::array<base::Bytes, 2>& kept,
                                       const Weights& scale) noexcept {
    std::array<std::uint64_t, 3> weights{};
    const std::size_t first = kept[0].empty() ? 1 : 0;
    std::array<std::uint8_t, kValues> of_both{};
    for (const std::uint8_t octet : kept[first]) {
        weights[first] += scale.growth(of_both[octet]++);
    }
    weights[2] = weights[first];
    if (first == 0 && !kept[1].empty()) {
        std::array<std::uint8_t, kValues> of_one{};
        for (const std::uint8_t octet : kept[1]) {
            weights[1] += scale.growth(of_one[octet]++);
            weights[2] += scale.growth(of_both[octet]++);
        }
    }
    return weights;
}

template <typename Weigh>
std::array<std::uint64_t, 3> weigh_all(const std::array<Histogram, 2>& counts,
                                       Weigh weigh) noexcept {
    std::array<std::uint64_t, 3> weights{};
    for (std::size_t value = 0; value < kValues; ++value) {
        const std::uint32_t forward = counts[0][value];
        const std::uint32_t reverse = counts[1][value];
        weights[0] += weigh(forward);
        weights[1] += weigh(reverse);
        weights[2] += weigh(forward + reverse);
    }
    return weights;
}

std::array<std::uint64_t, 3> weigh_many(const std::array<base::Bytes, 2>& kept,
                                        const Weights& scale) noexcept {
    const std::array<Histogram, 2> counts{count_values(kept[0]), count_values(kept[1])};
    if (scale.has(static_cast<std::uint32_t>(kept[0].size() + kept[1].size()))) {
        return weigh_all(counts, [&](std::uint32_t count) { return scale.known(count); });
    }
    return weigh_all(counts, [&](std::uint32_t count) { return scale.of(count); });
}

}  // namespace

HeadEntropy head_entropy(const std::array<base::Bytes, 2>& kept) noexcept {
    static const Weights scale;
    HeadEntropy out;
    out.known = true;
    for (std::size_t side = 0; side < kept.size(); ++side) {
        out.octets[side] = static_cast<std::uint32_t>(kept[side].size());
    }
    const std::array<std::uint32_t, 3> octets{
        out.octets[0], out.octets[1], out.octets[0] + out.octets[1]};
    const std::array<std::uint64_t, 3> weights =
        octets[2] <= kFew ? weigh_few(kept, scale) : weigh_many(kept, scale);
    for (std::size_t way = 0; way < octets.size(); ++way) {
        if (octets[way] > 0) {
            // Rounded, the parts may weigh a little more than the whole.
            const std::uint64_t whole = scale.of(octets[way]);
            out.bits[way] = Weights::bits(whole - std::min(whole, weights[way])) /
                            static_cast<double>(octets[way]);
        }
    }
    return out;
}

}  // namespace flowclass::feature
