// From some header below IP to the IP header: Ethernet, VLAN tags, MPLS labels, PPPoE, PPP,
// LLC/SNAP, Cisco MetaData, in a flat loop. Takes: what comes next and the slice it begins at.
// Gives: the IP version with the slice at its header, or a reason. Guarantees: at most kMaxShims
// headers are taken off; the same code serves the frame and what tunnels carry.
#pragma once

#include <cstdint>

#include "decode/slice.hpp"

namespace flowclass::decode {

inline constexpr std::size_t kMaxShims = 64;

enum class EtherType : std::uint16_t {
    ipv4 = 0x0800,
    transparent_ethernet = 0x6558,
    vlan = 0x8100,
    ipv6 = 0x86dd,
    ppp = 0x880b,
    mpls = 0x8847,
    mpls_upstream = 0x8848,
    pppoe_session = 0x8864,
    vlan_service = 0x88a8,
    metadata = 0x8909,
    vlan_old = 0x9100,
};

enum class Header : std::uint8_t {
    none,  // nothing we can follow: Step::reason says why
    ethernet,
    llc,
    vlan,
    mpls,
    pppoe,
    ppp,
    metadata,
    ip,  // either version, by its first four bits
    ipv4,
    ipv6,
};

// Eight octets: it travels in a register.
struct Step {
    Header header = Header::none;
    packet::SkipKind reason = packet::SkipKind::none;
    std::uint32_t detail = 0;
};

inline Step stop(packet::SkipKind kind, std::uint32_t detail = 0) noexcept {
    return {Header::none, kind, detail};
}

// Whether the reader stands at Cisco MetaData as it is known; moves behind its six octets. A reader
// that ran out says so itself.
bool skip_metadata(base::ByteReader& reader) noexcept;

// What an EtherType announces.
Step from_ether_type(std::uint16_t ether_type) noexcept;

struct Reached {
    std::uint8_t version = 0;                          // 4 or 6; 0 = no IP here
    packet::SkipKind reason = packet::SkipKind::none;  // then why
    std::uint32_t detail = 0;
};

Reached reach_ip(Step step, Slice& slice, EncapStack& stack) noexcept;

}  // namespace flowclass::decode
