// Count, sum, sum of squares and range of whole numbers. Takes: values one by one, or the moments
// of a part. Gives: mean and standard deviation. Guarantees: the sums are exact integers, so the
// order of the values and where they were cut make no difference to any digit.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace flowclass::feature {

using Wide = unsigned __int128;

struct Moments {
    std::uint64_t count = 0;
    std::uint64_t sum = 0;
    // Of times in ns: 64 bits end at a single gap of 4.3 s.
    Wide squares = 0;
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t greatest = 0;

    void add(std::uint64_t value) noexcept {
        ++count;
        sum += value;
        squares += Wide{value} * value;
        least = std::min(least, value);
        greatest = std::max(greatest, value);
    }
    void add(const Moments& part) noexcept {
        count += part.count;
        sum += part.sum;
        squares += part.squares;
        least = std::min(least, part.least);
        greatest = std::max(greatest, part.greatest);
    }

    template <typename Archive>
    void keep(Archive& archive) {
        archive(count, sum, squares, least, greatest);
    }

    // At least one value.
    [[nodiscard]] double mean() const noexcept {
        return static_cast<double>(sum) / static_cast<double>(count);
    }
    // Of the population: divided by the count. At least one value.
    [[nodiscard]] double deviation() const noexcept {
        // About m, the mean rounded down: D = sum (x - m)^2 = squares - m (2 sum - count m), at
        // most `squares`, hence exact in 128 bits even where a term is not. Then with sum = count m
        // + r the variance is (count D - r^2) / count^2.
        const std::uint64_t rounded = sum / count;
        const std::uint64_t rest = sum % count;
        const Wide about = squares - Wide{rounded} * (2 * Wide{sum} - Wide{count} * rounded);
        const auto number = static_cast<double>(count);
        if (about >> 64U == 0) {
            const Wide scaled = about * count - Wide{rest} * rest;
            return std::sqrt(static_cast<double>(scaled)) / number;
        }
        // D exceeds r^2 / count < count by so much that nothing cancels.
        const auto below = static_cast<double>(rest);
        return std::sqrt((static_cast<double>(about) - below * (below / number)) / number);
    }
};

}  // namespace flowclass::feature
