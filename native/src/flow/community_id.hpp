// Community ID v1: one name for a flow in every tool (specification: corelight/community-id-spec).
//   "1:" + base64(SHA1(be16 seed, address a, address b, u8 protocol, u8 0, be16 port a, be16 port
//   b))
// The smaller (address, port) first; ICMP types stand in for ports, and a type without an answer
// keeps its direction; protocols without ports leave them out.
#pragma once

#include <array>
#include <cstdint>

#include "base/ip_address.hpp"

namespace flowclass::flow {

inline constexpr std::size_t kCommunityIdText = 30;

struct CommunityIdTuple {
    base::IpAddress src;
    base::IpAddress dst;
    std::uint8_t ip_proto = 0;
    std::uint16_t src_port = 0;  // ICMP: type
    std::uint16_t dst_port = 0;  // ICMP: the answering type, or the code where there is none
    std::uint16_t seed = 0;
};
std::array<char, kCommunityIdText> community_id(const CommunityIdTuple& tuple) noexcept;

}  // namespace flowclass::flow
