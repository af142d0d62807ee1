#include "capture/timestamp.hpp"

#include <algorithm>
#include <limits>

namespace flowclass::capture {

namespace {

__extension__ using Wide = unsigned __int128;

constexpr unsigned kPowerOfTwo = 0x80;
constexpr unsigned kExponentMask = 0x7f;
constexpr std::uint8_t kNanoExponent = 9;
constexpr std::uint8_t kLargestExponent = 19;  // 10^19 is the largest power that 64 bits hold

constexpr std::uint64_t power_of_ten(std::uint8_t exponent) noexcept {
    std::uint64_t power = 1;
    for (std::uint8_t step = 0; step < exponent; ++step) {
        power *= 10;
    }
    return power;
}

constexpr base::TimeNs saturated(Wide nanoseconds) noexcept {
    constexpr base::TimeNs kMost = std::numeric_limits<base::TimeNs>::max();
    return nanoseconds > static_cast<Wide>(kMost) ? kMost : static_cast<base::TimeNs>(nanoseconds);
}

constexpr base::TimeNs seconds_to_ns(std::int64_t seconds) noexcept {
    base::TimeNs product = 0;
    if (__builtin_mul_overflow(seconds, base::kSecond, &product)) {
        return seconds < 0 ? std::numeric_limits<base::TimeNs>::min()
                           : std::numeric_limits<base::TimeNs>::max();
    }
    return product;
}

}  // namespace

TimestampUnit::TimestampUnit(std::uint8_t resolution, std::int64_t offset_seconds) noexcept
    : offset_(seconds_to_ns(offset_seconds)) {
    const auto exponent = static_cast<std::uint8_t>(resolution & kExponentMask);
    if ((resolution & kPowerOfTwo) != 0) {
        rule_ = Rule::shift;
        shift_ = exponent;
    } else if (exponent <= kNanoExponent) {
        factor_ = power_of_ten(static_cast<std::uint8_t>(kNanoExponent - exponent));
    } else if (exponent - kNanoExponent <= kLargestExponent) {
        rule_ = Rule::divide;
        factor_ = power_of_ten(static_cast<std::uint8_t>(exponent - kNanoExponent));
    } else {
        factor_ = 0;  // the whole range of the stamp is less than a nanosecond
    }
}

base::TimeNs TimestampUnit::to_time(std::uint64_t stamp) const noexcept {
    base::TimeNs time = 0;
    switch (rule_) {
        case Rule::multiply:
            time = saturated(static_cast<Wide>(stamp) * factor_);
            break;
        case Rule::divide:
            time = saturated(stamp / factor_);
            break;
        case Rule::shift:
            // 64 bits of stamp times 30 bits of factor: the product fits, and a shift by up to 127
            // is defined.
            time = saturated(
                (static_cast<Wide>(stamp) * static_cast<std::uint64_t>(base::kSecond)) >> shift_);
            break;
    }
    return base::saturating_add(time, offset_);
}

}  // namespace flowclass::capture
