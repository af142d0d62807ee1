// Takes: the first bytes of an input. Gives: which capture format it is, by content alone, or what
// it is instead.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/byte_reader.hpp"
#include "capture/capture_report.hpp"

namespace flowclass::capture {

enum class Container : std::uint8_t {
    pcap,
    pcapng,
    foreign,    // a known format that is not read here
    none,       // no capture
    undecided,  // `need` bytes are needed to say more
};

struct Detection {
    Container container = Container::none;
    Format format = Format::unknown;  // of pcap; pcapng tells in its section header
    const char* foreign = "";
    std::size_t need = 0;
    bool may_be_capture = false;  // undecided, and what is there begins pcap or pcapng
};

Detection detect_container(base::Bytes head) noexcept;

// The formats that are known and not read, by number from 1; "" is 0 and every other number.
const char* foreign_name(std::uint8_t number) noexcept;
std::uint8_t foreign_number(const char* name) noexcept;

}  // namespace flowclass::capture
