// GRE in UDP (destination port 4754; 4755 inside DTLS).
//
//  The GRE header of version 0 at octet 0: C, K, S, type; then what it carries.
//
// No octet is its own, so the inner packet has to hold.
// Source: RFC 8086 §3, §3.1.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/inner_packet.hpp"

namespace flowclass::fingerprint::gre_in_udp {

inline constexpr Rule kHeader{
    "gre_in_udp.header",
    "version 0, no flags but C, K and S, a protocol type that is carried; RFC 8086 §3.1"};
inline constexpr Rule kFrame{"gre_in_udp.inner_frame",
                             "the inner Ethernet frame has an EtherType in use; RFC 8086 §3"};
inline constexpr Rule kPacket{
    "gre_in_udp.inner_packet",
    "the inner packet holds: version, length, IPv4 header checksum, or ARP; RFC 791, RFC 8200"};
inline constexpr Rule kKey{"gre_in_udp.key", "the same key again; RFC 2890 §2.1"};
inline constexpr Rule kPort{"gre_in_udp.port", "UDP port 4754 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{4754};
inline constexpr std::array<std::string_view, 1> kVariants{"udp"};
inline constexpr std::array<const Rule*, 5> kRules{&kHeader, &kFrame, &kPacket, &kKey, &kPort};

struct Header {
    std::uint32_t key = 0;
    std::size_t key_at = 0;  // 0: none
};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "gre",
                                      .protocol_class = ProtocolClass::overlay,
                                      .title = "Generic Routing Encapsulation in UDP",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 8086, RFC 2784, RFC 2890"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::of({0x00, 0x10, 0x20, 0x30, 0x80, 0x90, 0xa0, 0xb0}),
        .least_length = 4 + 20,
        // A protocol type that the header is known for.
        .octets = {{{1, ByteSet::of({0})},
                    {2, ByteSet::of({0x08, 0x65, 0x86, 0x88})},
                    {3, ByteSet::of({0x00, 0x58, 0xdd, 0x47})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 3;
        Evidence evidence;
        std::array<Header, 2> last{};
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                Header now;
                const Reading reading = read(payload, now, claims);
                if (reading == Reading::fits) {
                    Header& before = last[index_of(payload.direction)];
                    if (now.key_at != 0 && now.key_at == before.key_at && now.key == before.key) {
                        claims.add(kKey, now.key_at, 4, 16);
                    }
                    before = now;
                }
                return reading;
            });
        if (!holds) {
            return {};
        }
        evidence.set_variant("udp");
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static Reading read(const Payload& payload, Header& header, Claims& claims) noexcept {
        constexpr std::uint16_t kChecksum = 0x8000;
        constexpr std::uint16_t kKeyFlag = 0x2000;
        constexpr std::uint16_t kSequence = 0x1000;
        ByteReader reader(payload.bytes);
        const std::uint16_t flags = reader.be16();
        const std::uint16_t type = reader.be16();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const bool known = type == 0x6558 || type == 0x0800 || type == 0x86dd || type == 0x8847;
        if (!known || (flags & ~(kChecksum | kKeyFlag | kSequence)) != 0) {
            return Reading::contradicts;
        }
        reader.skip((flags & kChecksum) != 0 ? 4 : 0);
        if ((flags & kKeyFlag) != 0) {
            header.key_at = reader.position();
            header.key = reader.be32();
        }
        reader.skip((flags & kSequence) != 0 ? 4 : 0);
        if (!reader.ok()) {
            return ran_out(payload);
        }
        claims.add(kHeader, 0, 4, 8 + 12);  // eight of 65536, mostly zeros; four of 65536
        const InnerPlace place{reader.position(), payload.length, Fit::exact};
        return type == 0x6558 ? inner::read_ethernet(payload, place, {kFrame, kPacket}, claims)
                              : inner::read_ether_type(type, payload, place, kPacket, claims);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::gre_in_udp
