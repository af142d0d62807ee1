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
    }
    [[nodiscard]] std::uint64_t of(std::uint32_t count) const noexcept {
        return count < small_.size() ? small_[count] : weigh(count);
    }
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
    std::array<std::uint64_t, 4097> small_{};  // a head keeps at most 4 KiB of a direction
};

}  // namespace

HeadEntropy head_entropy(const std::array<base::Bytes, 2>& kept) noexcept {
    static const Weights scale;
    HeadEntropy out;
    out.known = true;
    std::array<Histogram, 2> counts{};
    for (std::size_t side = 0; side < kept.size(); ++side) {
        for (const std::uint8_t octet : kept[side]) {
            ++counts[side][octet];
        }
        out.octets[side] = static_cast<std::uint32_t>(kept[side].size());
    }
    std::array<std::uint64_t, 3> weights{};
    for (std::size_t value = 0; value < kValues; ++value) {
        const std::uint32_t forward = counts[0][value];
        const std::uint32_t reverse = counts[1][value];
        weights[0] += scale.of(forward);
        weights[1] += scale.of(reverse);
        weights[2] += scale.of(forward + reverse);
    }
    const std::array<std::uint32_t, 3> octets{
        out.octets[0], out.octets[1], out.octets[0] + out.octets[1]};
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
