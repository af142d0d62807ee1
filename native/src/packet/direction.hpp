// The two directions of a flow: forward = of its first packet as captured. Who began is said later,
// in the record.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flowclass::packet {

enum class Direction : std::uint8_t { forward = 0, reverse = 1 };
constexpr Direction opposite(Direction direction) noexcept {
    return direction == Direction::forward ? Direction::reverse : Direction::forward;
}
constexpr std::size_t index_of(Direction direction) noexcept {
    return static_cast<std::size_t>(direction);
}

}  // namespace flowclass::packet
