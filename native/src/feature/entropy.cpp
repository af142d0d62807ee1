// H = sum over octet values of c/n log2(n/c) (C. E. Shannon, "A Mathematical Theory of
// Communication", 1948, §6), c = how often the value occurs among n octets.
#include "feature/entropy.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace flowclass::feature {

namespace {

constexpr std::size_t kValues = 256;
using Histogram = std::array<std::uint32_t, kValues>;

// Most counts of a head are small.
class Logarithms {
  public:
    Logarithms() noexcept {
        for (std::size_t value = 1; value < small_.size(); ++value) {
            small_[value] = std::log2(static_cast<double>(value));
        }
    }
    [[nodiscard]] double of(std::uint32_t value) const noexcept {
        return value < small_.size() ? small_[value] : std::log2(static_cast<double>(value));
    }

  private:
    std::array<double, 1024> small_{};
};

double entropy(const Histogram& counts, std::uint32_t octets) noexcept {
    if (octets == 0) {
        return 0;
    }
    static const Logarithms kLog2;
    const double all = kLog2.of(octets);
    double sum = 0;
    for (const std::uint32_t count : counts) {
        if (count > 0) {
            // In this form one value alone gives exactly 0.
            sum += static_cast<double>(count) * (all - kLog2.of(count));
        }
    }
    return sum / static_cast<double>(octets);
}

}  // namespace

HeadEntropy head_entropy(const std::array<base::Bytes, 2>& kept) noexcept {
    HeadEntropy out;
    out.known = true;
    std::array<Histogram, 2> counts{};
    for (std::size_t side = 0; side < kept.size(); ++side) {
        for (const std::uint8_t octet : kept[side]) {
            ++counts[side][octet];
        }
        out.octets[side] = static_cast<std::uint32_t>(kept[side].size());
        out.bits[side] = entropy(counts[side], out.octets[side]);
    }
    if (out.octets[0] == 0 || out.octets[1] == 0) {
        out.bits[2] = std::max(out.bits[0], out.bits[1]);
        return out;
    }
    for (std::size_t value = 0; value < kValues; ++value) {
        counts[0][value] += counts[1][value];
    }
    out.bits[2] = entropy(counts[0], out.octets[0] + out.octets[1]);
    return out;
}

}  // namespace flowclass::feature
