// Time is the packets': int64 nanoseconds since 1970-01-01 UTC. No stage reads the wall clock.
#pragma once

#include <cstdint>

namespace flowclass::base {

using TimeNs = std::int64_t;

inline constexpr TimeNs kMicrosecond = 1'000;
inline constexpr TimeNs kMillisecond = 1'000'000;
inline constexpr TimeNs kSecond = 1'000'000'000;

// Hostile captures carry any 64-bit time stamp; sums and differences saturate instead of
// overflowing.
constexpr TimeNs saturating_add(TimeNs left, TimeNs right) noexcept {
    TimeNs sum = 0;
    if (__builtin_add_overflow(left, right, &sum)) {
        return right > 0 ? INT64_MAX : INT64_MIN;
    }
    return sum;
}

constexpr TimeNs saturating_subtract(TimeNs left, TimeNs right) noexcept {
    TimeNs difference = 0;
    if (__builtin_sub_overflow(left, right, &difference)) {
        return right < 0 ? INT64_MAX : INT64_MIN;
    }
    return difference;
}

}  // namespace flowclass::base
