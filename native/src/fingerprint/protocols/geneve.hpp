// Geneve, over UDP (usually to port 6081).
//
//  0 version 0 (2 bits), option words (6) | 1 O 80, C 40, zeros | 2 protocol be16 | 4 VNI be24 | 7
//  0 8 options: class be16, type 1, zeros (3) and words (5) | then 6558 Ethernet, 0800, 86DD, 8847
//  ...
//
// The source port is a hash of the inner flow, so mostly one direction is all there is.
// Source: RFC 8926 §3.4, §3.5.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/inner_packet.hpp"

namespace flowclass::fingerprint::geneve {

inline constexpr Rule kHeader{
    "geneve.header",
    "version 0, reserved bits zero, a protocol type that is carried; RFC 8926 §3.4"};
inline constexpr Rule kOptions{"geneve.options",
                               "the first option's words lie inside the options; RFC 8926 §3.5"};
inline constexpr Rule kFrame{"geneve.inner_frame",
                             "the inner Ethernet frame has an EtherType in use; RFC 8926 §3.4"};
inline constexpr Rule kPacket{
    "geneve.inner_packet",
    "the inner packet holds: version, length, IPv4 header checksum, or ARP; RFC 791, RFC 8200"};
inline constexpr Rule kNetwork{"geneve.vni", "the same network identifier again; RFC 8926 §3.4"};
inline constexpr Rule kPort{"geneve.port", "UDP port 6081 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{6081};
inline constexpr std::array<const Rule*, 6> kRules{
    &kHeader, &kOptions, &kFrame, &kPacket, &kNetwork, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "geneve",
                                      .protocol_class = ProtocolClass::overlay,
                                      .title = "Generic Network Virtualization Encapsulation",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 8926"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::range(0, 63),
        .least_length = 8 + 14,
        .octets = {{{2, ByteSet::of({0x08, 0x65, 0x86, 0x88, 0x89})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 3;
        Evidence evidence;
        std::uint32_t network = UINT32_MAX;
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                const Reading reading = read(payload, claims);
                if (reading == Reading::fits) {
                    const std::uint32_t now = at(payload.bytes, 4).be24();
                    if (now == network) {
                        claims.add(kNetwork, 4, 3, 18);
                    }
                    network = now;
                }
                return reading;
            });
        if (!holds) {
            return {};
        }
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static Reading read(const Payload& payload, Claims& claims) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t version = reader.u8();
        const std::uint8_t flags = reader.u8();
        const std::uint16_t type = reader.be16();
        reader.skip(3);
        const std::uint8_t zero = reader.u8();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const std::size_t options = (version & 0x3fU) * std::size_t{4};
        const bool ethernet = type == 0x6558;
        const bool known =
            ethernet || type == 0x0800 || type == 0x86dd || type == 0x8847 || type == 0x894f;
        if (!known || version >> 6U != 0 || (flags & 0x3fU) != 0 || zero != 0 ||
            8 + options >= payload.length) {
            return Reading::contradicts;
        }
        // Two bits and six zeros 6, five of 65536 13, a zero 4.
        claims.add(kHeader, 1, 3, 19);
        claims.add(kHeader, 7, 1, 4);
        if (options > 0) {
            ByteReader option = at(payload.bytes, 11);
            const std::uint8_t words = option.u8();
            if (option.ok() && ((words & 0xe0U) != 0 || 4 + words * std::size_t{4} > options)) {
                return Reading::contradicts;
            }
            if (option.ok()) {
                claims.add(kOptions, 11, 1, 3);
            }
        }
        const InnerPlace place{8 + options, payload.length, Fit::exact};
        const Reading inside = ethernet
                                   ? inner::read_ethernet(payload, place, {kFrame, kPacket}, claims)
                                   : inner::read_ether_type(type, payload, place, kPacket, claims);
        // Options may push all of it behind the kept octets.
        return inside == Reading::contradicts ? inside : Reading::fits;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::geneve
