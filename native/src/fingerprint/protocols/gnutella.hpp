// Gnutella over UDP, and Gnutella2's datagrams.
//
// Gnutella:  0 id 16, octet 8 ff, octet 15 0 | 16 kind | 17 time to live | 18 hops | 19 length of
// what follows 4, little-endian Gnutella2: 0 "GND" 3 | 3 flags | 4 number 2 | 6 part | 7 parts, 0
// acknowledges | 8 packet: control, length 1..3, name 1..8
//
// Sources: Gnutella Protocol Development 0.6, Gnutella2 Developer Network.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::gnutella {

inline constexpr Rule kHeader{"gnutella.header",
                              "a known kind, few hops; Gnutella Protocol 0.6 §2.2.1"};
inline constexpr Rule kLength{
    "gnutella.length", "the length leads to the end of the datagram; Gnutella Protocol 0.6 §2.2.1"};
inline constexpr Rule kId{"gnutella.id",
                          "an id with the marks of modern clients; Gnutella Protocol 0.6 §2.2.1"};
inline constexpr Rule kG2{
    "gnutella.g2_header",
    "the word GND, a part that is one of the parts; Gnutella2, UDP Transceiver"};
inline constexpr Rule kPacket{"gnutella.g2_packet",
                              "a packet name of capitals; Gnutella2, Packet Structure"};
inline constexpr Rule kPort{"gnutella.port", "UDP port 6346 or 6347 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{6346, 6347};
inline constexpr std::array<std::string_view, 2> kVariants{"gnutella", "gnutella2"};
inline constexpr std::array<const Rule*, 6> kRules{
    &kHeader, &kLength, &kId, &kG2, &kPacket, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "gnutella",
        .protocol_class = ProtocolClass::app,
        .title = "Gnutella",
        .ports = kPorts,
        .variants = kVariants,
        .rules = kRules,
        .sources = "Gnutella Protocol Development 0.6, Gnutella2 Developer Network"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::all(),
        .least_length = 8,
        // A kind and two counts of hops; or the name of version 2.
        .octets =
            {{{16, ByteSet::of({0x00, 0x01, 0x02, 0x10, 0x30, 0x31, 0x32, 0x40, 0x44, 0x80, 0x81})},
              {17, ByteSet::range(0, 16)},
              {18, ByteSet::range(0, 16)}}},
        .or_octets = {{{0, ByteSet::of({'G'})}, {1, ByteSet::of({'N'})}, {2, ByteSet::of({'D'})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                if (has_text(payload.bytes, "GND")) {
                    return add_two(evidence, head, payload, first);
                }
                return add_one(evidence, head, payload, first);
            });
    }

  private:
    static constexpr bool is_kind(std::uint8_t kind) noexcept {
        return kind <= 2 || kind == 0x10 || kind == 0x30 || kind == 0x31 || kind == 0x32 ||
               kind == 0x40 || kind == 0x44 || kind == 0x80 || kind == 0x81;
    }

    static Reading add_one(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload,
                           bool first) noexcept {
        constexpr unsigned kMostHops = 16;
        ByteReader reader = at(payload.bytes, 16);
        const std::uint8_t kind = reader.u8();
        const unsigned hops = reader.u8() + unsigned{reader.u8()};
        const std::uint32_t length = reader.le32();
        if (!reader.ok()) {
            return payload.length >= 23 ? Reading::cut : Reading::contradicts;
        }
        if (!is_kind(kind) || hops > kMostHops || length + std::uint64_t{23} != payload.length) {
            return Reading::contradicts;
        }
        if (first) {
            // One of twelve kinds 4, two small numbers 7.
            evidence.add(kHeader, head, payload.entry, 16, 3, 11);
            evidence.add(kLength, head, payload.entry, 19, 4, 22);
            if (payload.bytes[8] == 0xff && payload.bytes[15] == 0) {
                evidence.add(kId, head, payload.entry, 8, 1, 7);
                evidence.add(kId, head, payload.entry, 15, 1, 5);
            }
        }
        evidence.set_variant("gnutella");
        return Reading::fits;
    }

    static Reading add_two(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload,
                           bool first) noexcept {
        ByteReader reader = at(payload.bytes, 6);
        const std::uint8_t part = reader.u8();
        const std::uint8_t parts = reader.u8();
        if (!reader.ok() || payload.bytes.size() < std::min<std::uint32_t>(payload.length, 16)) {
            return ran_out(payload);
        }
        if (part == 0 || (parts != 0 && part > parts) || (parts == 0 && payload.length != 8)) {
            return Reading::contradicts;
        }
        const std::uint8_t control = reader.u8();
        const std::size_t size = control >> 6U;
        reader.skip(size);
        const Bytes name = reader.bytes((control >> 3U & 7U) + 1U);
        const bool plain = (at(payload.bytes, 3).u8() & 1U) == 0 && part == 1;  // not deflated
        const bool named =
            name.size() >= 2 && std::all_of(name.begin(), name.end(), [](std::uint8_t octet) {
                return (octet >= 'A' && octet <= 'Z') || is_digit(octet);
            });
        if (parts != 0 && plain && !named) {
            return Reading::contradicts;
        }
        if (first) {
            evidence.add(kG2, head, payload.entry, 0, 3, 18);
            evidence.add(kG2, head, payload.entry, 6, 2, parts == 0 ? 12 : 8);
            if (plain && named) {
                evidence.add(kPacket,
                             head,
                             payload.entry,
                             9 + size,
                             name.size(),
                             3.0 * static_cast<double>(name.size()));
            }
        }
        evidence.set_variant("gnutella2");
        return Reading::fits;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::gnutella
