// What a tunnel carries: IPv4, IPv6, ARP, Ethernet, MPLS, PPP, read where a tunnel's header ends.
// Takes: a payload, the octets [offset, end) of it, how the inner length has to meet `end`.
// Gives: whether they can be that packet, and the claims that hold: octets that were compared, and
// what they are worth. Guarantees: a claim covers only octets whose change would be seen.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fingerprint/claims.hpp"

namespace flowclass::fingerprint {

// How an inner length meets the end of what carries it.
enum class Fit : std::uint8_t {
    exact,   // ends there
    padded,  // may end before: Ethernet
    open,    // may also end behind: the carrier may be a first fragment
};

struct InnerPlace {
    std::size_t offset = 0;
    std::size_t end = 0;
    Fit fit = Fit::exact;
};

// The rules under which a matcher publishes what it found inside.
struct InnerRules {
    const Rule& frame;   // EtherType, LLC, PPP protocol
    const Rule& packet;  // IPv4, IPv6, ARP
};

namespace inner {

// RFC 1071: the ones' complement sum of a whole header is all ones.
inline bool is_checksum_right(Bytes header) noexcept {
    ByteReader reader(header);
    std::uint32_t sum = 0;
    while (reader.remaining() >= 2) {
        sum += reader.be16();
    }
    sum = (sum & 0xffffU) + (sum >> 16U);
    return sum == 0xffff;
}

// IPv4 (RFC 791 §3.1). With its checksum right the whole header is one claim; without (offload,
// addresses rewritten, cut) it must begin with 45 and its length must be exact.
inline Reading read_ipv4(const Payload& payload,
                         const InnerPlace& place,
                         const Rule& rule,
                         Claims& claims) noexcept {
    ByteReader reader = at(payload.bytes, place.offset);
    const std::uint8_t first = reader.u8();
    reader.skip(1);
    const std::size_t total = reader.be16();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    const std::size_t header = (first & 15U) * std::size_t{4};
    const std::size_t room = place.end > place.offset ? place.end - place.offset : 0;
    // Segmentation offload leaves a total length of zero.
    const bool offload = total == 0 && room >= 40;
    const bool length_fits =
        offload || (total >= header && total <= room) || (total > room && place.fit == Fit::open);
    if (first >> 4U != 4 || header < 20 || room < 20 || !length_fits ||
        (!offload && total < room && place.fit == Fit::exact)) {
        return Reading::contradicts;
    }
    const bool exact = total == room;
    const Bytes whole = at(payload.bytes, place.offset).bytes(header);
    if (!whole.empty() && is_checksum_right(whole)) {
        // Version 4, checksum 16, an exact length 12 (it is a small number), one that fits 4.
        claims.add(rule, place.offset, header, exact ? 32 : total > room || offload ? 20 : 24);
        return Reading::fits;
    }
    if (first != 0x45 || !exact) {
        return whole.empty() ? ran_out(payload) : Reading::contradicts;
    }
    claims.add(rule, place.offset, 1, 7);
    claims.add(rule, place.offset + 2, 2, 12);
    return Reading::fits;
}

// Next headers in use: hop by hop, ICMP, IPv4, TCP, UDP, IPv6, routing, fragment, GRE, ESP, AH,
// ICMPv6, none, destination options, OSPF, PIM, SCTP, Ethernet.
inline bool is_next_header(std::uint8_t next) noexcept {
    switch (next) {
        case 0:
        case 4:
        case 6:
        case 17:
        case 41:
        case 43:
        case 44:
        case 47:
        case 50:
        case 51:
        case 58:
        case 59:
        case 60:
        case 89:
        case 103:
        case 132:
        case 143:
            return true;
        default:
            return false;
    }
}

// RFC 4291 §2.4 and the assigned blocks: unspecified and embedded IPv4, global unicast, unique
// local, link-local, and multicast as a destination.
inline bool is_address_block(std::uint8_t first, bool destination) noexcept {
    return first == 0x00 || first >> 5U == 1 || (first & 0xfeU) == 0xfc || first == 0xfe ||
           (destination && first == 0xff);
}

// IPv6 (RFC 8200 §3).
inline Reading read_ipv6(const Payload& payload,
                         const InnerPlace& place,
                         const Rule& rule,
                         Claims& claims) noexcept {
    ByteReader reader = at(payload.bytes, place.offset);
    const std::uint8_t first = reader.u8();
    reader.skip(3);
    const std::size_t length = reader.be16();
    const std::uint8_t next = reader.u8();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    const std::size_t room = place.end > place.offset ? place.end - place.offset : 0;
    const std::size_t total = length + 40;
    if (first >> 4U != 6 || !is_next_header(next) || room < 40) {
        return Reading::contradicts;
    }
    // A jumbogram or segmentation offload leaves a length of zero; no next header has none.
    const bool offload = length == 0 && next != 59 && room >= 60;
    if (total > room) {
        return place.fit == Fit::open ? Reading::cut : Reading::contradicts;
    }
    if (total < room && place.fit == Fit::exact && !offload) {
        return Reading::contradicts;
    }
    claims.add(rule, place.offset, 1, 4);
    if (total == room) {
        claims.add(rule, place.offset + 4, 3, 16);  // a small number 12, 17 of 256 values 4
    } else {
        claims.add(rule, place.offset + 6, 1, 4);
    }
    const std::uint8_t source = at(payload.bytes, place.offset + 8).u8();
    ByteReader destination = at(payload.bytes, place.offset + 24);
    const std::uint8_t target = destination.u8();
    if (destination.ok() && is_address_block(source, false) && is_address_block(target, true)) {
        claims.add(rule, place.offset + 8, 1, 2);  // about 37 of 256 each
        claims.add(rule, place.offset + 24, 1, 2);
    }
    return Reading::fits;
}

inline Reading read_ip(const Payload& payload,
                       const InnerPlace& place,
                       const Rule& rule,
                       Claims& claims) noexcept {
    ByteReader reader = at(payload.bytes, place.offset);
    const std::uint8_t version = reader.u8() >> 4U;
    if (!reader.ok()) {
        return ran_out(payload);
    }
    return version == 4   ? read_ipv4(payload, place, rule, claims)
           : version == 6 ? read_ipv6(payload, place, rule, claims)
                          : Reading::contradicts;
}

// ARP for IPv4 over Ethernet (RFC 826): types, sizes, request or reply.
inline Reading read_arp(const Payload& payload,
                        const InnerPlace& place,
                        const Rule& rule,
                        Claims& claims) noexcept {
    ByteReader reader = at(payload.bytes, place.offset);
    const std::uint32_t types = reader.be32();
    const std::uint16_t sizes = reader.be16();
    const std::uint16_t operation = reader.be16();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    if (types != 0x00010800 || sizes != 0x0604 || operation < 1 || operation > 10) {
        return Reading::contradicts;
    }
    claims.add(rule, place.offset, 8, 40);
    return Reading::fits;
}

// A label stack (RFC 3032 §2.1) down to its bottom, then IP by its version. Claims nothing of the
// stack itself; a control word (RFC 4385) ends the reading.
inline Reading read_mpls(const Payload& payload,
                         const InnerPlace& place,
                         const Rule& rule,
                         Claims& claims) noexcept {
    constexpr std::size_t kMostLabels = 8;
    ByteReader reader = at(payload.bytes, place.offset);
    for (std::size_t label = 0; label < kMostLabels; ++label) {
        const std::uint32_t word = reader.be32();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        // Time to live 0 is not sent on; label 3 is never on the wire.
        if ((word & 0xffU) == 0 || word >> 12U == 3) {
            return Reading::contradicts;
        }
        if ((word & 0x100U) != 0) {
            const InnerPlace behind{reader.position(), place.end, place.fit};
            ByteReader next = at(payload.bytes, behind.offset);
            const bool control_word = next.u8() >> 4U == 0 && next.ok();
            return control_word ? Reading::cut : read_ip(payload, behind, rule, claims);
        }
    }
    return Reading::contradicts;
}

// EtherTypes seen in tunnels besides IP, ARP, VLAN and MPLS: slow protocols, LLDP, TRILL, EAPOL,
// MACsec, CFM, PTP, NSH, PPPoE, FCoE, loopback.
inline bool is_ether_type(std::uint16_t type) noexcept {
    switch (type) {
        case 0x22f3:
        case 0x8809:
        case 0x8863:
        case 0x8864:
        case 0x888e:
        case 0x88cc:
        case 0x88e5:
        case 0x88f7:
        case 0x8902:
        case 0x8906:
        case 0x894f:
        case 0x9000:
            return true;
        default:
            return false;
    }
}

inline Reading read_ether_type(std::uint16_t type,
                               const Payload& payload,
                               const InnerPlace& place,
                               const Rule& rule,
                               Claims& claims) noexcept {
    switch (type) {
        case 0x0800:
            return read_ipv4(payload, place, rule, claims);
        case 0x86dd:
            return read_ipv6(payload, place, rule, claims);
        case 0x0806:
            return read_arp(payload, place, rule, claims);
        case 0x8847:
        case 0x8848:
            return read_mpls(payload, place, rule, claims);
        default:
            return is_ether_type(type) ? Reading::fits : Reading::contradicts;
    }
}

// An IEEE 802.3 length, then LLC: spanning tree, SNAP, IS-IS, IPX or NetBIOS, unnumbered.
inline Reading read_llc(std::size_t length,
                        const Payload& payload,
                        const InnerPlace& place,
                        const Rule& rule,
                        Claims& claims) noexcept {
    ByteReader reader = at(payload.bytes, place.offset);
    const std::uint16_t points = reader.be16();
    const std::uint8_t control = reader.u8();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    const bool known = points == 0x4242 || points == 0xaaaa || points == 0xfefe ||
                       points == 0xe0e0 || points == 0xf0f0;
    if (!known || control != 0x03 || length < 3 || place.offset + length > place.end) {
        return Reading::contradicts;
    }
    claims.add(rule, place.offset, 3, 20);
    return Reading::fits;
}

// An Ethernet frame with up to two VLAN tags. A frame whose packet lies behind the kept octets
// fits by its EtherType.
inline Reading read_ethernet(const Payload& payload,
                             const InnerPlace& place,
                             const InnerRules& rules,
                             Claims& claims) noexcept {
    ByteReader reader = at(payload.bytes, place.offset + 6);
    const std::uint8_t source = reader.u8();
    reader.skip(5);
    std::uint16_t type = reader.be16();
    std::size_t type_at = place.offset + 12;
    for (int tag = 0; tag < 2 && (type == 0x8100 || type == 0x88a8); ++tag) {
        reader.skip(2);
        type = reader.be16();
        type_at += 4;
    }
    if (!reader.ok()) {
        return ran_out(payload);
    }
    if ((source & 1U) != 0) {
        return Reading::contradicts;
    }
    const InnerPlace behind{
        type_at + 2, place.end, place.fit == Fit::exact ? Fit::padded : place.fit};
    if (type <= 1500) {
        return read_llc(type, payload, behind, rules.frame, claims);
    }
    Claims packet;
    const Reading reading = read_ether_type(type, payload, behind, rules.packet, packet);
    if (reading == Reading::contradicts) {
        return reading;
    }
    claims.add(rules.frame, type_at, 2, 11);  // some twenty of 65536, and common numbers
    claims.append(packet);
    return Reading::fits;
}

}  // namespace inner

}  // namespace flowclass::fingerprint
