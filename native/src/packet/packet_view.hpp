// One captured frame as the capture room hands it on: a view, valid until the next burst is asked
// for.
#pragma once

#include <cstdint>

#include "base/byte_reader.hpp"
#include "base/time.hpp"

namespace flowclass::packet {

// LINKTYPE_ values of the pcap and pcapng formats (registry: www.tcpdump.org/linktypes.html).
enum class LinkType : std::uint32_t {
    null = 0,
    ethernet = 1,
    ppp = 9,
    raw_bsd = 12,
    raw_openbsd = 14,
    ppp_hdlc = 50,
    raw = 101,
    cisco_hdlc = 104,
    ieee802_11 = 105,
    loop = 108,
    linux_sll = 113,
    radiotap = 127,
    ppi = 192,
    ipv4 = 228,
    ipv6 = 229,
    nflog = 239,
    linux_sll2 = 276,
};

struct PacketView {
    base::TimeNs time = 0;
    base::Bytes bytes;              // captured, at most wire_length
    std::uint32_t wire_length = 0;  // octets the frame had on the wire
    std::uint32_t link_type = 0;    // a LinkType, or a number this build does not know
    std::uint64_t frame = 0;        // 1-based number within the source
};

}  // namespace flowclass::packet
