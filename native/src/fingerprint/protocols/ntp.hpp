// NTP (RFC 5905 §7.3; RFC 1305 for versions 1 to 3), client, server, symmetric and broadcast modes,
// and the control (RFC 9327 §2) and private modes 6 and 7.
//
//  0                   8                  16                  24                 31
// | LI | VN  | mode |   stratum       |     poll        |   precision     |   octet 0
// |                          root delay                                   |   4
// |                        root dispersion                                |   8
// |                          reference id                                 |  12
// |        reference, origin, receive, transmit time stamps, 64 bits each |  16, 24, 32, 40
// then, from 48, extension fields and a message authentication code.
// Mode 6: LI VN 6 | R E M opcode(5) | sequence be16 | status | association | offset | count be16 |
// data Mode 7: R M VN 7 | A sequence(7) | implementation | request | error(4) items(12) | zero(4)
// size(12)
//
// The transmit stamp is seconds since 1900: near the time of capture it is worth bits; the server's
// origin stamp echoes the client's transmit stamp.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint::ntp {

inline constexpr Rule kHeader{"ntp.header",
                              "version 1 to 4, mode 1 to 5, stratum up to 16, 48 octets and whole "
                              "words behind; RFC 5905 §7.3"};
inline constexpr Rule kClock{"ntp.clock",
                             "transmit time stamp within a day of the capture time; RFC 5905 §6"};
inline constexpr Rule kMessage{"ntp.client_or_server",
                               "version 3 or 4, client or server, of exactly 48 octets; RFC 5905 "
                               "§7.3"};
inline constexpr Rule kReceived{
    "ntp.received",
    "the reference stamp, and what was captured of the receive stamp, within a day or so of the "
    "capture time; RFC 5905 §7.3"};
inline constexpr Rule kStamps{
    "ntp.stamps", "received and sent within a minute by the sender's own clock; RFC 5905 §8"};
inline constexpr Rule kUnset{
    "ntp.client_unset", "a client's reference, origin and receive stamps are zero; RFC 5905 §7.3"};
inline constexpr Rule kEcho{
    "ntp.origin_echo", "the answer's origin stamp is the question's transmit stamp; RFC 5905 §8"};
inline constexpr Rule kControl{"ntp.control",
                               "mode 6, known opcode, a count that fits the length; RFC 9327 §2"};
inline constexpr Rule kPrivate{"ntp.private",
                               "mode 7 of implementation 0, 2 or 3, items that fit the length; RFC "
                               "1305, ntpd's ntp_request.h"};
inline constexpr Rule kReply{"ntp.mode_6_7_reply",
                             "a reply to the same operation with the same sequence; RFC 9327 §2"};
inline constexpr Rule kPort{"ntp.port", "UDP port 123 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{123};
inline constexpr std::array<std::string_view, 3> kVariants{"time", "control", "private"};
inline constexpr std::array<const Rule*, 11> kRules{&kHeader,
                                                    &kMessage,
                                                    &kClock,
                                                    &kReceived,
                                                    &kStamps,
                                                    &kUnset,
                                                    &kEcho,
                                                    &kControl,
                                                    &kPrivate,
                                                    &kReply,
                                                    &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ntp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Network Time Protocol",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 5905, RFC 1305, RFC 9327"};
    // Versions 1 to 4, whatever the leap and the mode.
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::range(0x08, 0x27) | ByteSet::range(0x48, 0x67) |
                       ByteSet::range(0x88, 0xa7) | ByteSet::range(0xc8, 0xe7),
        .least_length = 8,
        .most_length = 1024};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<std::uint64_t, 2> sent{};
        std::uint32_t asked = 0;
        // Modes 6 and 7 have few fixed bits; only the daemon on its port speaks them.
        const bool asks_daemon = head.has_port(123);
        for (std::size_t entry = 0; entry < head.entry_count && entry < kMostMessages; ++entry) {
            const Payload payload = head.payload(entry);
            const bool fits = is_header(payload) ? add_time(evidence, head, payload, sent)
                              : asks_daemon && is_cut(payload) ? add_cut(evidence, head, payload)
                              : asks_daemon && is_control(payload)
                                  ? add_control(evidence, head, payload, asked)
                                  : false;
            if (!fits) {
                return {};
            }
        }
        if (!evidence.empty() && head.has_port(123)) {
            evidence.add(kPort, head, 0, 0, 0, 2);
        }
        return evidence;
    }

  private:
    static constexpr std::size_t kMostMessages = 4;

    // Enough to see the reference stamp and the beginning of the receive stamp: UDP over IPv6 in 96
    // octets.
    static constexpr std::size_t kLeastCut = 34;

    static bool is_header(const Payload& payload) noexcept {
        return payload.bytes.size() >= 48 && is_form(payload);
    }
    static bool is_cut(const Payload& payload) noexcept {
        return payload.bytes.size() >= kLeastCut && payload.bytes.size() < 48 &&
               payload.length == 48 && is_form(payload);
    }
    static bool is_form(const Payload& payload) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t first = reader.u8();
        const std::uint8_t stratum = reader.u8();
        const std::uint8_t version = first >> 3U & 7U;
        const std::uint8_t mode = first & 7U;
        return reader.ok() && payload.length >= 48 && payload.length % 4 == 0 && version >= 1 &&
               version <= 4 && mode >= 1 && mode <= 5 && stratum <= 16;
    }

    // Four leaps, two versions and two modes of octet 0, where the header had 80 of its values; the
    // length is one, where it was a quarter.
    static void add_message(Evidence& evidence,
                            const FlowHead& head,
                            const Payload& payload) noexcept {
        const std::uint8_t version = payload.bytes[0] >> 3U & 7U;
        const std::uint8_t mode = payload.bytes[0] & 7U;
        if (payload.length == 48 && version >= 3 && (mode == 3 || mode == 4)) {
            evidence.add(kMessage, head, payload.entry, 0, 1, 4);
        }
    }

    // A client's message of which nothing but its poll, its precision and the stamp that the answer
    // repeats is set: zeros, which are common, so only on the port.
    static bool is_bare_request(const Payload& payload) noexcept {
        ByteReader reader = at(payload.bytes, 4);
        return (payload.bytes[0] & 7U) == 3 && payload.bytes[1] == 0 &&
               (reader.be64() | reader.be32()) == 0;
    }

    // A message that a snap length has cut in its receive stamp.
    static bool add_cut(Evidence& evidence, const FlowHead& head, const Payload& payload) noexcept {
        const bool first = evidence.empty();
        const std::uint8_t mode = payload.bytes[0] & 7U;
        evidence.add(kHeader, head, payload.entry, 0, 2, first ? 9 : 2);
        if (first) {
            add_message(evidence, head, payload);
        }
        ByteReader stamps = at(payload.bytes, 16);
        const std::uint64_t reference = stamps.be64();
        const std::uint64_t origin = stamps.be64();
        const std::uint64_t received = stamps.be16();
        if (mode == 4 && is_near(reference, payload.time) &&
            is_near(received << 48U | std::uint64_t{0x8000} << 32U, payload.time)) {
            // Two days of 2^32 seconds; the other is mostly the same clock.
            evidence.add(kReceived, head, payload.entry, 16, 2, 14);
            evidence.add(kReceived, head, payload.entry, 32, 2, 8);
        } else if (first && mode == 3 && (reference | origin | received) == 0) {
            evidence.add(kUnset, head, payload.entry, 16, 18, 14);
            if (is_bare_request(payload)) {
                evidence.add(kUnset, head, payload.entry, 4, 12, 3);
            }
        }
        set_side(evidence, payload);
        return true;
    }

    static void set_side(Evidence& evidence, const Payload& payload) noexcept {
        const std::uint8_t mode = payload.bytes[0] & 7U;
        if (mode == 3 || mode == 4) {
            evidence.set_initiator(mode == 3 ? payload.direction : opposite(payload.direction));
        }
        evidence.set_variant("time");
    }

    static bool add_time(Evidence& evidence,
                         const FlowHead& head,
                         const Payload& payload,
                         std::array<std::uint64_t, 2>& sent) noexcept {
        const bool first = evidence.empty();
        const std::uint8_t mode = payload.bytes[0] & 7U;
        // Leap, version, mode: 1/2 of the values of each field of octet 0; stratum 17 of 256;
        // length 48 plus whole words. A second one is hardly news: its first octet is mostly the
        // same.
        evidence.add(kHeader, head, payload.entry, 0, 2, first ? 9 : 2);
        if (first) {
            add_message(evidence, head, payload);
        }
        ByteReader stamps = at(payload.bytes, 16);
        const std::uint64_t reference = stamps.be64();
        const std::uint64_t origin = stamps.be64();
        const std::uint64_t received = stamps.be64();
        const std::uint64_t transmit = stamps.be64();
        if (is_near(transmit, payload.time)) {
            // Two days of 2^32 seconds.
            evidence.add(kClock, head, payload.entry, 40, 2, 14);
        }
        const std::uint64_t worked =
            transmit > received ? transmit - received : received - transmit;
        const std::uint64_t echoed = sent[index_of(opposite(payload.direction))];
        if (echoed != 0 && origin == echoed) {
            evidence.add(kEcho, head, payload.entry, 24, 8, 64);
        } else if (received != 0 && worked >> 32U < 60 &&
                   (head.has_port(123) || is_near(transmit, payload.time))) {
            // Two minutes of 2^32 seconds: 25; repeated octets would pass as well, so fewer, and
            // only where the port or the clock says the same.
            evidence.add(kStamps, head, payload.entry, 32, 4, 16);
        } else if (first && mode == 3 && head.has_port(123) &&
                   (reference | origin | received) == 0) {
            // 24 octets of zero, which are common, so only on the port.
            evidence.add(kUnset, head, payload.entry, 16, 24, 16);
            if (is_bare_request(payload)) {
                evidence.add(kUnset, head, payload.entry, 4, 12, 3);
            }
        }
        sent[index_of(payload.direction)] = transmit;
        set_side(evidence, payload);
        return true;
    }

    static bool is_control(const Payload& payload) noexcept {
        const std::uint8_t first = at(payload.bytes, 0).u8();
        const std::uint8_t version = first >> 3U & 7U;
        const std::uint8_t mode = first & 7U;
        if (version < 1 || version > 4 || payload.bytes.size() < 8) {
            return false;
        }
        if (mode == 6) {
            const std::uint8_t opcode = at(payload.bytes, 1).u8() & 0x1fU;
            ByteReader reader = at(payload.bytes, 10);
            const std::size_t count = reader.be16();
            // Opcodes of RFC 9327 §2; padding to words and a MAC may follow.
            return reader.ok() && (first & 0xc0U) == 0 && (opcode <= 12 || opcode == 31) &&
                   12 + count <= payload.length && payload.length <= 12 + count + 3 + 24;
        }
        ByteReader reader = at(payload.bytes, 2);
        const std::uint8_t implementation = reader.u8();
        reader.skip(1);
        const std::size_t items = reader.be16() & 0x0fffU;
        const std::size_t size = reader.be16();
        const bool fits = 8 + items * size <= payload.length;
        return mode == 7 && (implementation == 0 || implementation == 2 || implementation == 3) &&
               size < 0x1000 && fits && items <= 500;
    }

    // Opcode or request code, and sequence: what a reply repeats; and the reply's own bit.
    static bool add_control(Evidence& evidence,
                            const FlowHead& head,
                            const Payload& payload,
                            std::uint32_t& asked) noexcept {
        const bool control = (payload.bytes[0] & 7U) == 6;
        const bool reply =
            control ? (payload.bytes[1] & 0x80U) != 0 : (payload.bytes[0] & 0x80U) != 0;
        const std::uint32_t key =
            control ? 0x10000U | (payload.bytes[1] & 0x1fU) << 24U | at(payload.bytes, 2).be16()
                    : 0x20000U | at(payload.bytes, 2).be16();
        if (evidence.empty()) {
            // Control: octet 0 of 4 values, opcode: 8; count: 10. Private: octet 0: 3;
            // implementation: 6; four zero bits and items that fit: 7.
            if (control) {
                evidence.add(kControl, head, payload.entry, 0, 2, 8);
                evidence.add(kControl, head, payload.entry, 10, 2, 10);
            } else {
                evidence.add(kPrivate, head, payload.entry, 0, 1, 3);
                evidence.add(kPrivate, head, payload.entry, 2, 1, 6);
                evidence.add(kPrivate, head, payload.entry, 4, 1, 3);
                evidence.add(kPrivate, head, payload.entry, 6, 1, 4);
            }
        }
        if (reply && asked == key) {
            const std::size_t key_at = control ? 1 : 2;
            evidence.add(kReply, head, payload.entry, key_at, 4 - key_at, control ? 22 : 16);
        }
        asked = reply ? 0 : key;
        evidence.set_initiator(reply ? opposite(payload.direction) : payload.direction);
        evidence.set_variant(control ? "control" : "private");
        return true;
    }

    static bool is_near(std::uint64_t stamp, base::TimeNs time) noexcept {
        constexpr std::int64_t kUnixEpoch =
            2'208'988'800;  // 1970 in seconds since 1900, RFC 5905 §6
        const std::int64_t seconds = static_cast<std::int64_t>(stamp >> 32U) - kUnixEpoch;
        const std::int64_t distance = seconds - time / base::kSecond;
        return distance > -86'400 && distance < 86'400;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ntp
