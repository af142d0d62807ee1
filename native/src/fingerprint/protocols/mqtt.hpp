// MQTT 3.1, 3.1.1 and 5 over TCP.
//
//  0 kind 4 bits, flags 4 bits | 1 length of the rest, 1 to 4 octets of 7 bits | ...
//  connect (10): 0004 "MQTT" level 4 or 5, or 0006 "MQIsdp" level 3 | flags 1, bit 0 zero |
//  keep-alive 2 connack (20): 02: flags 0 or 1, code 0 to 5; MQTT 5: longer | publish (3x): topic
//  length 2, topic subscribe (82): id 2, topic length 2, topic ... | suback 90 | puback 40 02 | C0
//  00 ping, D0 00 answer
//
// Sources: MQTT 3.1.1 (OASIS) §2, §3; MQTT 5.0 (OASIS) §3; MQTT 3.1 (IBM, Eurotech) §3.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text_line.hpp"

namespace flowclass::fingerprint::mqtt {

inline constexpr Rule kConnect{
    "mqtt.connect",
    "a connect packet with the name MQTT or MQIsdp and its level; MQTT 3.1.1 §3.1.2"};
inline constexpr Rule kConnack{"mqtt.connack",
                               "a connect answer of its length with a known code; MQTT 3.1.1 §3.2"};
inline constexpr Rule kPacket{"mqtt.packet",
                              "a kind with its flags and a length that leads on; MQTT 3.1.1 §2.2"};
inline constexpr Rule kTopic{"mqtt.topic",
                             "a topic of text fills its length; MQTT 3.1.1 §3.3.2, §3.8.3"};
inline constexpr Rule kPing{"mqtt.ping",
                            "a ping, or the answer to it, of two octets; MQTT 3.1.1 §3.12, §3.13"};

inline constexpr std::array<std::uint16_t, 1> kPorts{1883};
inline constexpr std::array<std::string_view, 3> kVariants{"3.1", "3.1.1", "5"};
inline constexpr std::array<const Rule*, 5> kRules{&kConnect, &kConnack, &kPacket, &kTopic, &kPing};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "mqtt",
        .protocol_class = ProtocolClass::app,
        .title = "Message Queuing Telemetry Transport",
        .ports = kPorts,
        .variants = kVariants,
        .rules = kRules,
        .sources = "MQTT 3.1.1 (OASIS) §2, §3; MQTT 5.0 (OASIS) §3; MQTT 3.1 (IBM, Eurotech) §3"};
    static constexpr Prefilter prefilter{.ip_protos = {kTcp},
                                         .first_bytes = ByteSet::of({0x10,
                                                                     0x20,
                                                                     0x30,
                                                                     0x31,
                                                                     0x32,
                                                                     0x33,
                                                                     0x34,
                                                                     0x35,
                                                                     0x3a,
                                                                     0x3b,
                                                                     0x3c,
                                                                     0x3d,
                                                                     0x40,
                                                                     0x82,
                                                                     0xc0,
                                                                     0xd0}),
                                         .least_length = 2};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    struct Fixed {
        std::uint8_t first = 0;
        std::size_t body = 0;  // where the rest begins
        std::size_t end = 0;
        bool ok = false;
    };

    static Fixed read_fixed(const StreamSide& side, std::size_t offset) noexcept {
        Fixed fixed;
        ByteReader reader = side.at(offset);
        fixed.first = reader.u8();
        std::size_t length = 0;
        for (unsigned shift = 0; shift < 28; shift += 7) {
            const std::uint8_t octet = reader.u8();
            length |= std::size_t{octet & 0x7fU} << shift;
            if ((octet & 0x80U) == 0) {
                fixed.ok = reader.ok();
                break;
            }
        }
        fixed.body = reader.position();
        fixed.end = fixed.body + length;
        return fixed;
    }

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        constexpr std::size_t kMostPackets = 4;
        std::size_t offset = 0;
        for (std::size_t count = 0; count < kMostPackets && offset < side.size(); ++count) {
            const Fixed fixed = read_fixed(side, offset);
            if (!fixed.ok) {
                return true;
            }
            if (!add_packet(evidence, side, offset, fixed)) {
                return count > 0 || (!side.from_start() && evidence.empty());
            }
            offset = fixed.end;
        }
        return true;
    }

    static bool add_packet(Evidence& evidence,
                           const StreamSide& side,
                           std::size_t offset,
                           const Fixed& fixed) noexcept {
        const std::size_t length = fixed.end - fixed.body;
        const std::uint8_t kind = fixed.first >> 4U;
        const bool first = offset == 0;
        switch (fixed.first) {
            case 0x10:
                return add_connect(evidence, side, offset, fixed);
            case 0x20:
                return add_connack(evidence, side, offset, fixed);
            case 0xc0:
            case 0xd0:
                // Two octets that are a whole segment.
                if (length != 0 || (first && !side.is_end(2))) {
                    return false;
                }
                side.add(evidence, kPing, offset, 2, first ? 14 : 4);
                evidence.set_initiator(kind == 12 ? side.direction() : opposite(side.direction()));
                return true;
            case 0x82:
                return add_topic(evidence, side, offset, fixed, 2);
            case 0x40:
            case 0x50:
            case 0x62:
            case 0x70:
            case 0x90:
            case 0xb0:
            case 0xa2:
            case 0xe0:
                if (length > 64 || (kind == 14 && length > 2) || !leads_on(side, fixed) ||
                    (kind != 14 && length < 2)) {
                    return false;
                }
                side.add(evidence, kPacket, offset, 2, first ? 14 : 4);
                return true;
            default:
                // Quality 3 is none.
                return kind == 3 && (fixed.first & 6U) != 6 &&
                       add_topic(evidence, side, offset, fixed, 0);
        }
    }

    static bool leads_on(const StreamSide& side, const Fixed& fixed) noexcept {
        return side.is_end(fixed.end) || fixed.end < side.size();
    }

    static bool add_connect(Evidence& evidence,
                            const StreamSide& side,
                            std::size_t offset,
                            const Fixed& fixed) noexcept {
        ByteReader reader = side.at(fixed.body);
        const std::uint16_t size = reader.be16();
        const bool old = size == 6;
        const std::string_view name = old ? "MQIsdp" : "MQTT";
        const bool named = has_text(side.stream(), name, fixed.body + 2);
        reader.skip(name.size());
        const std::uint8_t level = reader.u8() & 0x7fU;
        const std::uint8_t flags = reader.u8();
        if (!reader.ok() || (size != 4 && !old) || !named ||
            (old ? level != 3 : level != 4 && level != 5) || (flags & 1U) != 0) {
            return false;
        }
        // The kind 8; a length in front of letters 14; letters; level and flag 8.
        side.add(evidence, kConnect, offset, 1, 8);
        side.add(evidence,
                 kConnect,
                 fixed.body,
                 name.size() + 3,
                 22 + kLetterBits * static_cast<double>(name.size()));
        evidence.set_variant(old ? "3.1" : level == 4 ? "3.1.1" : "5");
        evidence.set_initiator(side.direction());
        return true;
    }

    static bool add_connack(Evidence& evidence,
                            const StreamSide& side,
                            std::size_t offset,
                            const Fixed& fixed) noexcept {
        ByteReader reader = side.at(fixed.body);
        const std::uint8_t flags = reader.u8();
        const std::uint8_t code = reader.u8();
        const std::size_t length = fixed.end - fixed.body;
        const bool old = length == 2 && code <= 5;
        const bool new_one = length >= 3 && (code == 0 || code >= 0x80) &&
                             side.at(fixed.body + 2).u8() + std::size_t{3} == length;
        if (!reader.ok() || flags > 1 || (!old && !new_one) || !leads_on(side, fixed)) {
            return false;
        }
        // Kind 8, length 7, flags and code 10 of 13; zeros are common.
        side.add(evidence, kConnack, offset, 4, 24);
        evidence.set_initiator(opposite(side.direction()));
        return true;
    }

    // `skip` octets, a length, a topic without control characters.
    static bool add_topic(Evidence& evidence,
                          const StreamSide& side,
                          std::size_t offset,
                          const Fixed& fixed,
                          std::size_t skip) noexcept {
        ByteReader reader = side.at(fixed.body + skip);
        const std::uint16_t length = reader.be16();
        const std::size_t begin = fixed.body + skip + 2;
        if (!reader.ok()) {
            return true;
        }
        const std::size_t kept = std::min<std::size_t>(length, reader.remaining());
        if (length == 0 || begin + length > fixed.end || !all_printable(reader.bytes(kept))) {
            return false;
        }
        if (!leads_on(side, fixed)) {
            return true;
        }
        const bool first = offset == 0;
        side.add(evidence, kPacket, offset, fixed.body - offset, first ? 14 : 2);
        // A short length 8; printable octets 1.4 each, of ten at most.
        side.add(evidence,
                 kTopic,
                 begin - 2,
                 2 + kept,
                 first ? 8 + 1.4 * static_cast<double>(std::min<std::size_t>(kept, 10)) : 2);
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::mqtt
