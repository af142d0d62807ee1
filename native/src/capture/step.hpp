// The common tongue of the container parsers: one step takes the bytes from a record's first byte
// on and says what is there. A parser never keeps a byte and never asks for less than it was given,
// so a caller may cut the input anywhere.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flowclass::capture {

enum class StepKind : std::uint8_t {
    packet,   // a packet; `size` bytes consumed
    skipped,  // something else; `size` bytes consumed
    need,     // `size` bytes from the record's first one on are needed to go on
    stop,     // the report has a problem; nothing more can come
};

struct Step {
    StepKind kind{};
    std::size_t size = 0;
};

// The largest block or record believed: as in Wireshark's pcapng reader.
inline constexpr std::size_t kMaxRecord = std::size_t{16} << 20U;

}  // namespace flowclass::capture
