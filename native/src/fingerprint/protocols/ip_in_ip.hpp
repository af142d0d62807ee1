// IP packets inside IP by protocol number: 4 IPv4, 41 IPv6, 55 minimal encapsulation, 97 EtherIP,
// 137 MPLS.
//
//  4, 41: the inner packet begins at once. 6to4: an inner address of 2002::/16; ISATAP: an
//  interface
//         identifier 0000:5EFE or 0200:5EFE
//  55: protocol 1 | flag 80 S, zeros 7 | checksum be16 | destination 4 | [S: source 4]
//  97: 3000 | Ethernet       137: label stack, then IP by its version
//
// Each number is assigned to its encapsulation alone; the inner header has to hold. A packet cut
// into fragments announces more than the first of them has, which only the IPv4 checksum vouches
// for.
// Sources: RFC 2003 §3, RFC 2473 §3, RFC 4213 §3, RFC 3056 §2, RFC 5214 §6.1, RFC 2004 §3.1,
// RFC 3378 §3, RFC 4023 §3.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/inner_packet.hpp"

namespace flowclass::fingerprint::ip_in_ip {

inline constexpr std::uint8_t kIpv4 = 4;
inline constexpr std::uint8_t kIpv6 = 41;
inline constexpr std::uint8_t kMinimal = 55;
inline constexpr std::uint8_t kEtherIp = 97;
inline constexpr std::uint8_t kMpls = 137;

inline constexpr Rule kPacket{
    "ip-in-ip.inner_packet",
    "the inner packet holds: version, length, IPv4 header checksum; RFC 2003 §3, RFC 4213 §3"};
inline constexpr Rule kSixToFour{"ip-in-ip.6to4", "an inner address of 2002::/16; RFC 3056 §2"};
inline constexpr Rule kIsatap{"ip-in-ip.isatap",
                              "an interface identifier 0000:5EFE or 0200:5EFE; RFC 5214 §6.1"};
inline constexpr Rule kMinimalHeader{
    "ip-in-ip.minimal", "minimal forwarding header with zeros and its checksum; RFC 2004 §3.1"};
inline constexpr Rule kEtherHeader{"ip-in-ip.etherip", "version 3 and zeros; RFC 3378 §3"};
inline constexpr Rule kFrame{"ip-in-ip.inner_frame",
                             "the inner Ethernet frame has an EtherType in use; RFC 3378 §3"};

inline constexpr std::array<std::string_view, 7> kVariants{
    "ipv4", "ipv6", "6to4", "isatap", "minimal", "etherip", "mpls"};
inline constexpr std::array<const Rule*, 6> kRules{
    &kPacket, &kSixToFour, &kIsatap, &kMinimalHeader, &kEtherHeader, &kFrame};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "ip-in-ip",
        .protocol_class = ProtocolClass::overlay,
        .title = "IP inside IP",
        .ports = {},
        .variants = kVariants,
        .rules = kRules,
        .sources =
            "RFC 2003, RFC 2473, RFC 4213, RFC 3056, RFC 5214, RFC 2004, RFC 3378, RFC 4023"};
    static constexpr Prefilter prefilter{.ip_protos = {kIpv4, kIpv6, kMinimal, kEtherIp, kMpls},
                                         .least_length = 9};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 4;
        // Less is an inner header of which nothing but the version could be compared.
        constexpr float kLeastBits = 16;
        Evidence evidence;
        std::string_view variant;
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                std::string_view found;
                const Reading reading = read(head.ip_proto, payload, claims, found);
                if (reading == Reading::fits && (variant.empty() || variant == "ipv6")) {
                    variant = found;
                }
                return reading;
            });
        if (!holds) {
            return {};
        }
        evidence.set_variant(variant);
        if (evidence.bits() >= kLeastBits) {
            evidence.set_assigned_ip_protocol();
        }
        return evidence;
    }

  private:
    static Reading read(std::uint8_t ip_proto,
                        const Payload& payload,
                        Claims& claims,
                        std::string_view& variant) noexcept {
        const InnerPlace place{0, payload.length, Fit::open};
        switch (ip_proto) {
            case kIpv4:
                variant = "ipv4";
                return inner::read_ipv4(payload, place, kPacket, claims);
            case kIpv6:
                return read_six(payload, place, claims, variant);
            case kMinimal:
                variant = "minimal";
                return read_minimal(payload, claims);
            case kEtherIp:
                variant = "etherip";
                return read_etherip(payload, claims);
            default:
                variant = "mpls";
                return inner::read_mpls(payload, place, kPacket, claims);
        }
    }

    static Reading read_six(const Payload& payload,
                            const InnerPlace& place,
                            Claims& claims,
                            std::string_view& variant) noexcept {
        variant = "ipv6";
        const Reading reading = inner::read_ipv6(payload, place, kPacket, claims);
        if (reading != Reading::fits) {
            return reading;
        }
        for (const std::size_t address : {std::size_t{8}, std::size_t{24}}) {
            if (at(payload.bytes, address).be16() == 0x2002) {
                claims.add(kSixToFour, address + 1, 1, 7);  // the first octet is claimed as a block
                variant = "6to4";
                return reading;
            }
            if ((at(payload.bytes, address + 8).be32() & ~0x02000000U) == 0x00005efe) {
                claims.add(kIsatap, address + 8, 4, 28);
                variant = "isatap";
                return reading;
            }
        }
        return reading;
    }

    static Reading read_minimal(const Payload& payload, Claims& claims) noexcept {
        ByteReader reader(payload.bytes);
        reader.skip(1);
        const std::uint8_t flags = reader.u8();
        const std::size_t header = (flags & 0x80U) != 0 ? 12 : 8;
        const Bytes whole = at(payload.bytes, 0).bytes(header);
        if (!reader.ok() || whole.empty()) {
            return ran_out(payload);
        }
        if ((flags & 0x7fU) != 0 || !inner::is_checksum_right(whole)) {
            return Reading::contradicts;
        }
        claims.add(kMinimalHeader, 0, header, 16 + 5);
        return Reading::fits;
    }

    static Reading read_etherip(const Payload& payload, Claims& claims) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint16_t version = reader.be16();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if (version != 0x3000) {
            return Reading::contradicts;
        }
        claims.add(kEtherHeader, 0, 2, 14);
        return inner::read_ethernet(
            payload, {2, payload.length, Fit::open}, {kFrame, kPacket}, claims);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ip_in_ip
