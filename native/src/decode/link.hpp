// From a captured frame to its outermost IP header, by link type (registry:
// www.tcpdump.org/linktypes.html). Takes: the frame's slice. Gives: the IP version with the slice
// at its header, or the reason why there is none.
#pragma once

#include <cstdint>

#include "decode/shim.hpp"
#include "packet/packet_view.hpp"

namespace flowclass::decode {

// Every link type but the short way below.
Reached reach_ip_from_link(std::uint32_t link_type, Slice& slice, EncapStack& stack) noexcept;

// Nearly all frames are Ethernet with IP right behind: they take no loop.
[[gnu::always_inline]] inline Reached reach_ip_from_frame(std::uint32_t link_type,
                                                          Slice& slice,
                                                          EncapStack& stack) noexcept {
    if (link_type == static_cast<std::uint32_t>(packet::LinkType::ethernet)) [[likely]] {
        base::ByteReader reader(slice.bytes);
        reader.skip(12);
        const std::uint16_t ether_type = reader.be16();
        const bool is_v4 = ether_type == static_cast<std::uint16_t>(EtherType::ipv4);
        if (is_v4 || ether_type == static_cast<std::uint16_t>(EtherType::ipv6)) [[likely]] {
            slice.bytes = reader.rest();
            slice.wire -= 14;
            return {static_cast<std::uint8_t>(is_v4 ? 4 : 6)};
        }
        return reach_ip({Header::ethernet}, slice, stack);
    }
    return reach_ip_from_link(link_type, slice, stack);
}

// One step each of link_wireless.cpp: an IEEE 802.11 data frame, bare or behind a radiotap header.
Step take_ieee802_11(Slice& slice) noexcept;
Step take_radiotap(Slice& slice) noexcept;

}  // namespace flowclass::decode
