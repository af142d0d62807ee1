// Takes: a time stamp counted in an interface's own unit. Gives: int64 nanoseconds since 1970-01-01
// UTC. Guarantees: every one of the 256 resolutions, every 64-bit stamp and offset has a defined
// result; what int64 cannot hold saturates.
//
// if_tsresol and if_tsoffset: draft-ietf-opsawg-pcapng, "Interface Description Block Format".
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace flowclass::capture {

class TimestampUnit {
  public:
    // Microseconds, the default of the format.
    constexpr TimestampUnit() noexcept = default;
    // Bit 7 of `resolution` says whether the rest is a negative power of 2 or of 10.
    TimestampUnit(std::uint8_t resolution, std::int64_t offset_seconds) noexcept;

    [[nodiscard]] base::TimeNs to_time(std::uint64_t stamp) const noexcept;

    template <typename Archive>
    void keep(Archive& archive) {
        archive.up_to(rule_, Rule::shift);
        archive.up_to(shift_, kMostShift);
        archive(factor_, offset_);
        archive.require(rule_ != Rule::divide || factor_ > 0);
    }

  private:
    enum class Rule : std::uint8_t { multiply, divide, shift };

    static constexpr std::uint8_t kMostShift = 127;

    Rule rule_ = Rule::multiply;
    std::uint8_t shift_ = 0;
    std::uint64_t factor_ = 1000;
    base::TimeNs offset_ = 0;
};

}  // namespace flowclass::capture
