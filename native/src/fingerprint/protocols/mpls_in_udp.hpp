// MPLS in UDP (destination port 6635; 6636 inside DTLS).
//
//  Label stack entries of 4 octets: label (20), class (3), bottom of stack (1), time to live (8);
//  behind the bottom IP by its version.
//
// No octet is its own, so the inner packet has to hold; a pseudowire inside cannot be told.
// Sources: RFC 7510 §3, RFC 3032 §2.1.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/inner_packet.hpp"

namespace flowclass::fingerprint::mpls_in_udp {

inline constexpr Rule kStack{
    "mpls-in-udp.stack",
    "the first label is the bottom of the stack and has a time to live; RFC 3032 §2.1"};
inline constexpr Rule kPacket{
    "mpls-in-udp.inner_packet",
    "the packet behind the stack holds: version, length, IPv4 header checksum; RFC 791, RFC 8200"};
inline constexpr Rule kLabel{"mpls-in-udp.label",
                             "the same label and bottom bit again; RFC 7510 §3"};
inline constexpr Rule kPort{"mpls-in-udp.port", "UDP port 6635 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{6635};
inline constexpr std::array<const Rule*, 4> kRules{&kStack, &kPacket, &kLabel, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "mpls-in-udp",
                                      .protocol_class = ProtocolClass::overlay,
                                      .title = "MPLS in UDP",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 7510, RFC 3032"};
    // The label's upper octet: labels are given out from below, few platforms use a million.
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::range(0, 0x7f),
        .least_length = 4 + 20,
        // Behind the lowest label an IP version, behind any other a label.
        .octets = {{{3, ByteSet::range(1, 255)},
                    {2, ByteSet::masked(1, 1)},
                    {4, ByteSet::range(0x40, 0x4f) | ByteSet::range(0x60, 0x6f)}}},
        .or_octets = {{{2, ByteSet::masked(1, 0)},
                       {3, ByteSet::range(1, 255)},
                       {7, ByteSet::range(1, 255)}}}};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 3;
        // An IP version and a length that fits are all but a label: no claim without a packet.
        Evidence evidence;
        std::array<std::uint32_t, 2> labels{UINT32_MAX, UINT32_MAX};
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                const std::uint32_t word = at(payload.bytes, 0).be32();
                const bool bottom = (word & 0x100U) != 0;
                const std::uint8_t version = at(payload.bytes, 4).u8() >> 4U;
                if (bottom && version != 4 && version != 6 && payload.bytes.size() > 4) {
                    return Reading::contradicts;
                }
                const Reading reading =
                    inner::read_mpls(payload, {0, payload.length, Fit::exact}, kPacket, claims);
                if (reading == Reading::fits) {
                    add_label(payload, word, labels[index_of(payload.direction)], claims);
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
    static void add_label(const Payload& payload,
                          std::uint32_t word,
                          std::uint32_t& before,
                          Claims& claims) noexcept {
        if ((word & 0x100U) != 0) {
            claims.add(kStack, 2, 1, 1);
        }
        if (word >> 8U == before >> 8U && payload.bytes.size() >= 4) {
            claims.add(kLabel, 0, 3, 10);
        }
        before = word;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::mpls_in_udp
