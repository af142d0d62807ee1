// Teredo: IPv6 over UDP (servers on port 3544).
//
//  [ 00 01 | id length 1 | authentication length 1 | id | authentication | nonce 8 | confirmation 1
//  ] [ 00 00 | mapped port, inverted, 2 | mapped address, inverted, 4 ] IPv6: 0 6... | 4 payload
//  length be16 | 6 next header | 8 source 16 | 24 destination 16 One address is of 2001:0::/32, or
//  both are link-local (router solicitation to ff02::2 and its advertisement). Bubble: next header
//  59, length 0; trailers (type, length, value) may follow it. Multicast discovery: a bubble to
//  ff02::1.
//
// Sources: RFC 4380 §2.6, §5.1.1, §5.2.8; RFC 6081 §4.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/claims.hpp"

namespace flowclass::fingerprint::teredo {

inline constexpr Rule kAuthentication{
    "teredo.authentication",
    "authentication header: indicator 0001, lengths inside the packet; RFC 4380 §5.1.1"};
inline constexpr Rule kOrigin{"teredo.origin", "origin indication 0000; RFC 4380 §5.1.1"};
inline constexpr Rule kIpv6{
    "teredo.ipv6",
    "IPv6 whose payload length is exact, or a bubble and its trailers; RFC 4380 §2.6"};
inline constexpr Rule kAddress{"teredo.address", "an address of 2001:0::/32; RFC 4380 §2.6"};
inline constexpr Rule kSolicitation{
    "teredo.solicitation",
    "router solicitation from a link-local address to ff02::2; RFC 4380 §5.2.1"};
inline constexpr Rule kAdvertisement{
    "teredo.advertisement",
    "router advertisement between link-local addresses; RFC 4380 §5.2.1, RFC 4861 §4.2"};
inline constexpr Rule kDiscovery{"teredo.discovery", "bubble to ff02::1; RFC 4380 §5.2.8"};
inline constexpr Rule kNonce{"teredo.nonce",
                             "the answer has the question's nonce; RFC 4380 §5.2.1"};
inline constexpr Rule kPort{"teredo.port", "UDP port 3544 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{3544};
inline constexpr std::array<std::string_view, 2> kVariants{"qualification", "multicast-discovery"};
inline constexpr std::array<const Rule*, 9> kRules{&kAuthentication,
                                                   &kOrigin,
                                                   &kIpv6,
                                                   &kAddress,
                                                   &kSolicitation,
                                                   &kAdvertisement,
                                                   &kDiscovery,
                                                   &kNonce,
                                                   &kPort};

inline constexpr std::uint8_t kNoNextHeader = 59;
inline constexpr std::uint8_t kIcmpv6 = 58;

struct Packet {
    std::size_t nonce_at = 0;  // 0: none
    std::uint64_t nonce = 0;
    std::string_view variant;
    bool solicitation = false;
    bool advertisement = false;
};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "teredo",
                                      .protocol_class = ProtocolClass::overlay,
                                      .title = "Teredo, IPv6 over UDP through NAT",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 4380, RFC 6081"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::of({0}) | ByteSet::range(0x60, 0x6f),
        .least_length = 40};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 4;
        Evidence evidence;
        std::array<Packet, 2> asked{};
        std::string_view variant;
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                Packet packet;
                const Reading reading = read(payload, packet, claims);
                if (reading != Reading::fits) {
                    return reading;
                }
                const Packet& other = asked[index_of(opposite(payload.direction))];
                if (packet.nonce_at != 0 && packet.nonce != 0 && packet.nonce == other.nonce) {
                    claims.add(kNonce, packet.nonce_at, 8, 56);
                }
                if (packet.solicitation || packet.advertisement) {
                    evidence.set_initiator(packet.solicitation ? payload.direction
                                                               : opposite(payload.direction));
                }
                variant = variant.empty() ? packet.variant : variant;
                asked[index_of(payload.direction)] = packet;
                return reading;
            });
        if (!holds) {
            return {};
        }
        evidence.set_variant(variant);
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static Reading read(const Payload& payload, Packet& packet, Claims& claims) noexcept {
        ByteReader reader(payload.bytes);
        std::uint16_t mark = reader.be16();
        if (mark == 0x0001) {
            const std::uint8_t id_length = reader.u8();
            const std::uint8_t authentication_length = reader.u8();
            reader.skip(std::size_t{id_length} + authentication_length);
            packet.nonce_at = reader.position();
            packet.nonce = reader.be64();
            reader.skip(1);
            // Mostly no id and no authentication: four octets, three of them zero.
            claims.add(kAuthentication, 0, 4, id_length + authentication_length == 0 ? 16 : 8);
            mark = reader.be16();
        } else {
            reader = ByteReader(payload.bytes);
            mark = reader.be16();
        }
        if (mark == 0x0000) {
            claims.add(kOrigin, reader.position() - 2, 2, 6);
            reader.skip(6);
            mark = reader.be16();
        }
        if (!reader.ok()) {
            return ran_out(payload);
        }
        return mark >> 12U == 6 ? read_ipv6(payload, reader.position() - 2, packet, claims)
                                : Reading::contradicts;
    }

    static Reading read_ipv6(const Payload& payload,
                             std::size_t offset,
                             Packet& packet,
                             Claims& claims) noexcept {
        ByteReader reader = at(payload.bytes, offset + 4);
        const std::size_t length = reader.be16();
        const std::uint8_t next = reader.u8();
        reader.skip(1);
        const std::uint64_t source = reader.be64();
        reader.skip(8);
        const std::uint64_t destination = reader.be64();
        const std::uint64_t destination_end = reader.be64();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const std::size_t rest = payload.length > offset + 40 ? payload.length - offset - 40 : 0;
        const bool bubble = next == kNoNextHeader && length == 0;
        if (payload.length < offset + 40 ||
            (length != rest && !(bubble && are_trailers(payload, offset + 40)))) {
            return Reading::contradicts;
        }
        claims.add(kIpv6, offset, 1, 4);
        claims.add(kIpv6, offset + 4, 2, 12);
        constexpr std::uint64_t kPrefix = 0x20010000;
        if (source >> 32U == kPrefix || destination >> 32U == kPrefix) {
            claims.add(kAddress, offset + (source >> 32U == kPrefix ? 8U : 24U), 4, 30);
            if (bubble && destination == 0xff02000000000000 && destination_end == 1) {
                claims.add(kDiscovery, offset + 24, 16, 40);
                packet.variant = "multicast-discovery";
            }
            return Reading::fits;
        }
        // Fe80::/64 leaves the lower half of an address free.
        constexpr std::uint64_t kLinkLocal = 0xfe80000000000000;
        const std::uint8_t type = at(payload.bytes, offset + 40).u8();
        if (source != kLinkLocal || next != kIcmpv6) {
            return Reading::contradicts;
        }
        packet.variant = "qualification";
        packet.solicitation = destination == 0xff02000000000000 && destination_end == 2;
        packet.advertisement = destination == kLinkLocal;
        if (packet.solicitation) {
            claims.add(kSolicitation, offset + 6, 1, 8);
            claims.add(kSolicitation, offset + 8, 8, 30);
            claims.add(kSolicitation, offset + 24, 16, 40);
            return is_message(payload, offset, type, 133);
        }
        claims.add(kAdvertisement, offset + 6, 1, 8);
        claims.add(kAdvertisement, offset + 8, 8, 30);
        claims.add(kAdvertisement, offset + 24, 8, 30);
        return packet.advertisement ? is_message(payload, offset, type, 134) : Reading::contradicts;
    }

    // The ICMPv6 type, where it was kept.
    static Reading is_message(const Payload& payload,
                              std::size_t offset,
                              std::uint8_t type,
                              std::uint8_t expected) noexcept {
        const bool kept = payload.bytes.size() > offset + 40;
        return !kept || type == expected ? Reading::fits : Reading::contradicts;
    }

    // RFC 6081 §4: type, length, value, to the end of the packet.
    static bool are_trailers(const Payload& payload, std::size_t offset) noexcept {
        constexpr std::size_t kMostTrailers = 8;
        for (std::size_t count = 0; count < kMostTrailers; ++count) {
            if (offset == payload.length) {
                return true;
            }
            ByteReader reader = at(payload.bytes, offset);
            reader.skip(1);
            const std::uint8_t length = reader.u8();
            if (!reader.ok()) {
                return payload.bytes.size() < payload.length;
            }
            offset += std::size_t{2} + length;
            if (offset > payload.length) {
                return false;
            }
        }
        return false;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::teredo
