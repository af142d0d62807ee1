// Takes: a filter as tcpdump(1) knows it. Gives: a classic BPF program for the kernel, compiled by
// libpcap, which is loaded at run time: no header of it is needed to build. Guarantees: where there
// is no libpcap, or the filter is not one, an error with a sentence; packets are read without it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.hpp"

namespace flowclass::capture {

// One instruction, laid out as struct sock_filter of linux/filter.h.
struct FilterInstruction {
    std::uint16_t code = 0;
    std::uint8_t jump_true = 0;
    std::uint8_t jump_false = 0;
    std::uint32_t constant = 0;
};

using FilterProgram = std::vector<FilterInstruction>;

// The program that takes the first `snap_length` octets of every packet; of none for 0.
FilterProgram take_all(std::uint32_t snap_length);

// `link_type`: LINKTYPE number of the packets. The program takes `snap_length` octets of what it
// lets pass.
base::Result<FilterProgram> compile_filter(const std::string& text,
                                           std::uint32_t link_type,
                                           std::uint32_t snap_length);

// For tests: whether one of these names is a library with all that is needed.
bool can_load_libpcap(std::span<const char* const> names) noexcept;

}  // namespace flowclass::capture
