// Where the records of a pcap lie, as the reader finds them, and pauses between them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/byte_reader.hpp"
#include "capture/capture_reader.hpp"

namespace cut_pcap {

namespace base = flowclass::base;
namespace capture = flowclass::capture;
namespace packet = flowclass::packet;

constexpr std::size_t kFileHeader = 24;

// All records from `place` on, in 65536 parts of them, come so much later, or earlier.
struct Pause {
    std::uint16_t place;
    std::int16_t seconds;
};

// Where each record begins that the reader gives a packet for, and where the last one ends. Empty
// where the input is no pcap: other containers are not cut.
inline std::vector<std::size_t> records_of(base::Bytes input) {
    capture::CaptureReader reader;
    reader.push(input);
    std::array<packet::PacketView, 1> view;
    std::vector<std::size_t> ends;
    while (reader.next_burst(view) > 0) {
        ends.push_back(input.size() - reader.unread().size());
    }
    const bool is_pcap = reader.report().format >= capture::Format::pcap_le_usec &&
                         reader.report().format <= capture::Format::pcap_modified_be_usec;
    if (!is_pcap || ends.empty()) {
        return {};
    }
    ends.insert(ends.begin(), kFileHeader);
    return ends;
}

inline std::size_t part_of(std::size_t count, std::uint16_t place) {
    return count * place / 65536U;
}

// Adds seconds to the first field of every record from one on.
inline void delay(std::vector<std::uint8_t>& input,
                  const std::vector<std::size_t>& records,
                  Pause pause) {
    const bool big_endian = input[0] == 0xa1;
    for (std::size_t record = part_of(records.size() - 1, pause.place); record + 1 < records.size();
         ++record) {
        const auto added = static_cast<std::uint32_t>(std::int32_t{pause.seconds});
        std::uint32_t carry = 0;
        for (std::size_t octet = 0; octet < 4; ++octet) {
            std::uint8_t& place = input[records[record] + (big_endian ? 3 - octet : octet)];
            carry += place + (added >> (8 * octet) & 0xffU);
            place = static_cast<std::uint8_t>(carry);
            carry >>= 8U;
        }
    }
}

}  // namespace cut_pcap
