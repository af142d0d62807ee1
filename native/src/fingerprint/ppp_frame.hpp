// A PPP frame inside a tunnel (RFC 1661 §2, RFC 1662 §3.1): address and control may be left out,
// and the first octet of a small protocol number.
// Takes: a payload and the octets [offset, end) of the frame. Gives: whether they can be one, what
// holds, and whether anything more than the protocol number spoke for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/inner_packet.hpp"

namespace flowclass::fingerprint::inner {

struct PppFrame {
    Reading reading = Reading::contradicts;
    bool strong = false;  // address and control, or a content that holds
};

// IANA "PPP DLL Protocol Numbers", those that tunnels carry: IP, IPX, Van Jacobson, multilink,
// bridging, encryption, compression, IPv6, MPLS; their control protocols; LCP and authentication.
inline bool is_ppp_protocol(std::uint16_t protocol) noexcept {
    switch (protocol) {
        case 0x0021:
        case 0x002b:
        case 0x002d:
        case 0x002f:
        case 0x0031:
        case 0x003d:
        case 0x0053:
        case 0x0057:
        case 0x00fb:
        case 0x00fd:
        case 0x0281:
        case 0x8021:
        case 0x802b:
        case 0x8031:
        case 0x8053:
        case 0x8057:
        case 0x80fb:
        case 0x80fd:
        case 0x8281:
        case 0xc021:
        case 0xc023:
        case 0xc025:
        case 0xc02b:
        case 0xc02d:
        case 0xc223:
        case 0xc227:
            return true;
        default:
            return false;
    }
}

// LCP, authentication and the network control protocols begin with code, identifier, length (RFC
// 1661 §5).
inline Reading read_ppp_control(const Payload& payload,
                                const InnerPlace& place,
                                const Rule& rule,
                                Claims& claims) noexcept {
    constexpr std::uint8_t kMostCode = 15;
    ByteReader reader = at(payload.bytes, place.offset);
    const std::uint8_t code = reader.u8();
    reader.skip(1);
    const std::size_t length = reader.be16();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    const std::size_t room = place.end > place.offset ? place.end - place.offset : 0;
    if (code < 1 || code > kMostCode || length < 4 || length > room) {
        return Reading::contradicts;
    }
    claims.add(rule, place.offset, 1, 4);
    if (length == room) {
        claims.add(rule, place.offset + 2, 2, 12);
    }
    return Reading::fits;
}

inline PppFrame read_ppp(const Payload& payload,
                         const InnerPlace& place,
                         const InnerRules& rules,
                         Claims& claims) noexcept {
    ByteReader reader = at(payload.bytes, place.offset);
    std::size_t offset = place.offset;
    const bool addressed = reader.be16() == 0xff03;
    if (addressed) {
        claims.add(rules.frame, offset, 2, 14);
        offset += 2;
    } else {
        reader = at(payload.bytes, offset);
    }
    std::uint16_t protocol = reader.u8();
    const bool compressed = (protocol & 1U) != 0;  // RFC 1661 §6.5: low octets are odd
    if (!compressed) {
        protocol = static_cast<std::uint16_t>(protocol << 8U | reader.u8());
    }
    if (!reader.ok()) {
        return {ran_out(payload), false};
    }
    if (!is_ppp_protocol(protocol)) {
        return {};
    }
    claims.add(rules.frame, offset, compressed ? 1 : 2, compressed ? 4 : 11);
    const InnerPlace behind{reader.position(), place.end, place.fit};
    Reading reading = Reading::cut;
    if (protocol == 0x0021 || protocol == 0x0057) {
        reading = protocol == 0x0021 ? read_ipv4(payload, behind, rules.packet, claims)
                                     : read_ipv6(payload, behind, rules.packet, claims);
    } else if (protocol >= 0x8000) {
        reading = read_ppp_control(payload, behind, rules.packet, claims);
    }
    if (reading == Reading::contradicts) {
        return {};
    }
    return {Reading::fits, addressed || reading == Reading::fits};
}

}  // namespace flowclass::fingerprint::inner
