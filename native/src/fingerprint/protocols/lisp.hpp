// Locator/ID Separation Protocol, data plane (UDP 4341).
//
//  0 N 80, L 40, E 20, V 10, I 08, R 04, key 03 | 1 nonce or map versions be24
//  4 instance and locator status be32 | IPv4 or IPv6
//
// Hardly an octet is its own: the inner packet has to hold. The control plane is lisp_control.hpp.
// Sources: RFC 6830 §5.3; RFC 9300 §5.3.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/inner_packet.hpp"

namespace flowclass::fingerprint::lisp {

inline constexpr Rule kData{
    "lisp.data",
    "flags that go with each other, nonce and instance zero where unused; RFC 9300 §5.3"};
inline constexpr Rule kPacket{
    "lisp.inner_packet",
    "the inner packet holds: version, length, IPv4 header checksum; RFC 791, RFC 8200"};
inline constexpr Rule kPort{"lisp.port", "UDP port 4341 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{4341};
inline constexpr std::array<const Rule*, 3> kRules{&kData, &kPacket, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "lisp",
                                      .protocol_class = ProtocolClass::overlay,
                                      .title = "Locator/ID Separation Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 6830, RFC 9300"};
    // Either N, with or without E, or V, or none; with or without L and I; nothing reserved.
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0x00,
                                                                     0x08,
                                                                     0x10,
                                                                     0x18,
                                                                     0x40,
                                                                     0x48,
                                                                     0x50,
                                                                     0x58,
                                                                     0x80,
                                                                     0x88,
                                                                     0xa0,
                                                                     0xa8,
                                                                     0xc0,
                                                                     0xc8,
                                                                     0xe0,
                                                                     0xe8}),
                                         .least_length = 28};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 3;
        Evidence evidence;
        if (!gather(head, evidence, kMostPackets, read)) {
            return {};
        }
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    // N excludes V, E asks for N; without N and V the nonce is zero; I: an instance of 24 bits.
    static Reading read(const Payload& payload, Claims& claims) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t flags = reader.u8();
        const std::uint32_t nonce = reader.be24();
        const std::uint32_t status = reader.be32();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const bool has_nonce = (flags & 0x80U) != 0;
        const bool has_versions = (flags & 0x10U) != 0;
        const bool has_status = (flags & 0x48U) != 0;
        if ((has_nonce && has_versions) || ((flags & 0x20U) != 0 && !has_nonce) ||
            (flags & 0x07U) != 0 || (!has_nonce && !has_versions && nonce != 0) ||
            (!has_status && status != 0)) {
            return Reading::contradicts;
        }
        // Eight octets before an IP packet is what many tunnels have: its 32 bits count 24.
        constexpr double kMostInner = 24;
        Claims packet;
        const Reading reading =
            inner::read_ip(payload, {8, payload.length, Fit::exact}, kPacket, packet);
        if (reading == Reading::fits) {
            claims.append(packet, kMostInner);
            // Three reserved bits; zeros, which are common, are worth little.
            claims.add(kData, 0, 1, 3);
            if (!has_nonce && !has_versions) {
                claims.add(kData, 1, 3, 5);
            }
        }
        return reading;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::lisp
