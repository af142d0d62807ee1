// VXLAN (RFC 7348 §5), with group policy (draft-smith-vxlan-group-policy) and as generic protocol
// extension (draft-ietf-nvo3-vxlan-gpe), over UDP.
//
//  0        1               3            4            7          8
// | flags  | reserved 0    | 0          | VNI be24   | 0        | inner Ethernet frame
//   RFC 7348: flags 08. Group policy: flags 88 (08 is seen), policy flags at 1, group be16 at 2.
//   GPE: flags 0C or 0D, next protocol at 3: 1 IPv4, 2 IPv6, 3 Ethernet, 4 NSH, 5 MPLS
// Inner Ethernet: destination 8, source 14, EtherType 20, its payload 22.
//
// The source port is a hash of the inner flow, so mostly one direction is all there is.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/inner_packet.hpp"

namespace flowclass::fingerprint::vxlan {

inline constexpr Rule kHeader{"vxlan.header", "flags 08, reserved octets zero; RFC 7348 §5"};
inline constexpr Rule kGroup{
    "vxlan.group_policy",
    "flags 88 or 08 with policy bits, reserved bits zero; draft-smith-vxlan-group-policy §2.1"};
inline constexpr Rule kGpe{
    "vxlan.gpe",
    "flags 0C or 0D, reserved octets zero, next protocol 1 to 5; draft-ietf-nvo3-vxlan-gpe §3.1"};
inline constexpr Rule kEtherType{"vxlan.inner_ethertype",
                                 "known EtherType, source not multicast; RFC 7348 §5, IEEE 802.3"};
inline constexpr Rule kInnerIp{
    "vxlan.inner_ip",
    "the inner packet holds: version, length, IPv4 header checksum, or ARP; RFC 791, RFC 8200"};
inline constexpr Rule kInnerNsh{
    "vxlan.inner_nsh",
    "inner service header of version 0, metadata type 1 or 2, a fitting length; RFC 8300 §2.2"};
inline constexpr Rule kVni{"vxlan.vni", "the same network identifier again; RFC 7348 §5"};
inline constexpr Rule kPort{"vxlan.port", "UDP port 4789, 4790 or 8472 on either side"};

inline constexpr std::array<std::uint16_t, 3> kPorts{4789, 4790, 8472};
inline constexpr std::array<std::string_view, 3> kVariants{"vxlan", "gbp", "gpe"};
inline constexpr std::array<const Rule*, 8> kRules{
    &kHeader, &kGroup, &kGpe, &kEtherType, &kInnerIp, &kInnerNsh, &kVni, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "vxlan",
                                      .protocol_class = ProtocolClass::overlay,
                                      .title = "Virtual eXtensible Local Area Network",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 7348, draft-ietf-nvo3-vxlan-gpe"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0x08, 0x88, 0x0c, 0x0d}),
                                         .least_length = 8 + 14};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 3;
        Evidence evidence;
        std::uint32_t vni = UINT32_MAX;
        std::string_view variant;
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                std::string_view form;
                const Reading reading = read(payload, form, claims);
                if (reading == Reading::fits) {
                    const std::uint32_t now = at(payload.bytes, 4).be24();
                    if (now == vni) {
                        claims.add(kVni, 4, 3, 18);
                    }
                    vni = now;
                    variant = variant.empty() || form != "vxlan" ? form : variant;
                }
                return reading;
            });
        if (!holds) {
            return {};
        }
        evidence.set_variant(variant);
        if (head.has_port(4789) || head.has_port(4790) || head.has_port(8472)) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static Reading read(const Payload& payload, std::string_view& form, Claims& claims) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t flags = reader.u8();
        const std::uint8_t second = reader.u8();
        const std::uint16_t group = reader.be16();
        reader.skip(3);
        const std::uint8_t last = reader.u8();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if (last != 0) {
            return Reading::contradicts;
        }
        if ((flags & ~1U) == 0x0c && second == 0 && group >= 1 && group <= 5) {
            form = "gpe";
            // Seven bits, two zeros and a small number, a zero.
            claims.add(kGpe, 0, 4, 24);
            claims.add(kGpe, 7, 1, 4);
            return read_next(group, payload, claims);
        }
        if (flags == 0x08 && second == 0 && group == 0) {
            form = "vxlan";
            // Flags 8; four zeros, which are common: 20 of 32.
            claims.add(kHeader, 0, 4, 24);
            claims.add(kHeader, 7, 1, 4);
        } else if ((flags & ~0x80U) == 0x08 && (second & ~0x48U) == 0) {
            form = "gbp";
            claims.add(kGroup, 0, 2, 14);
            claims.add(kGroup, 7, 1, 4);
        } else {
            return Reading::contradicts;
        }
        return inner::read_ethernet(
            payload, {8, payload.length, Fit::exact}, {kEtherType, kInnerIp}, claims);
    }

    // Next protocol: 1 IPv4, 2 IPv6, 3 Ethernet, 4 NSH, 5 MPLS.
    static Reading read_next(std::uint16_t next, const Payload& payload, Claims& claims) noexcept {
        const InnerPlace place{8, payload.length, Fit::exact};
        switch (next) {
            case 1:
                return inner::read_ipv4(payload, place, kInnerIp, claims);
            case 2:
                return inner::read_ipv6(payload, place, kInnerIp, claims);
            case 3:
                return inner::read_ethernet(payload, place, {kEtherType, kInnerIp}, claims);
            case 4:
                return read_nsh(payload, claims);
            default:
                return inner::read_mpls(payload, place, kInnerIp, claims);
        }
    }

    // Version 0; length in words; four reserved bits and metadata type, of
    // which type 1 is 6 words long; next protocol 1 to 5 (IANA "NSH Next Protocol").
    static Reading read_nsh(const Payload& payload, Claims& claims) noexcept {
        ByteReader reader = at(payload.bytes, 8);
        const std::uint16_t start = reader.be16();
        const std::uint8_t metadata = reader.u8();
        const std::uint8_t next = reader.u8();
        const std::size_t words = start & 0x3fU;
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if ((start & 0xc000U) != 0 || words < 2 || 8 + words * 4 > payload.length || next < 1 ||
            next > 5 || (metadata != 2 && (metadata != 1 || words != 6))) {
            return Reading::contradicts;
        }
        claims.add(kInnerNsh, 8, 1, 2);    // two bits
        claims.add(kInnerNsh, 10, 2, 12);  // metadata type 7, next protocol 5
        return Reading::fits;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::vxlan
