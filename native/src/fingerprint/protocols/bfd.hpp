// BFD control packets (RFC 5880 §4.1).
//
// 0 version 1 (3 bits), diagnostic (5) | 1 state (2), flags (6), the last, multipoint, zero | 2
// detection multiplier | 3 length 4 my discriminator 4 | 8 your discriminator 4 | 12 transmit, 16
// receive, 20 echo interval, microseconds 4 each | 24 authentication
//
// Sources: RFC 5880, RFC 5881, RFC 5883.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::bfd {

inline constexpr Rule kHeader{"bfd.header",
                              "version 1, an assigned diagnostic, a length of 24 or what "
                              "authentication adds, that of the datagram; RFC 5880 §4.1"};
inline constexpr Rule kIntervals{"bfd.intervals",
                                 "intervals of less than 17 minutes; RFC 5880 §4.1"};
inline constexpr Rule kMilliseconds{"bfd.milliseconds",
                                    "an interval that is not zero and whole milliseconds, though "
                                    "it is told in microseconds; RFC 5880 §4.1"};
inline constexpr Rule kSession{"bfd.discriminators",
                               "the same discriminators as in the packet before; RFC 5880 §6.3"};
inline constexpr Rule kEcho{"bfd.your_discriminator",
                            "the other side has this discriminator; RFC 5880 §6.3"};
inline constexpr Rule kPort{"bfd.port", "UDP port 3784 or 4784 or 6784 or 7784 on either side"};

inline constexpr std::array<std::uint16_t, 4> kPorts{3784, 4784, 6784, 7784};
inline constexpr std::array<const Rule*, 6> kRules{
    &kHeader, &kIntervals, &kMilliseconds, &kSession, &kEcho, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "bfd",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Bidirectional Forwarding Detection",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 5880, RFC 5881, RFC 5883"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::range(0x20, 0x29),
                                         .least_length = 24,
                                         .most_length = 56};

    static Evidence match(const FlowHead& head) noexcept {
        std::array<std::uint64_t, 2> session{};
        LastSaid<std::uint32_t> mine;
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t front = reader.u8();
                const std::uint8_t flags = reader.u8();
                const std::uint8_t multiplier = reader.u8();
                const std::uint8_t length = reader.u8();
                const std::uint32_t my = reader.be32();
                const std::uint32_t your = reader.be32();
                const std::uint32_t transmit = reader.be32();
                const std::uint32_t receive = reader.be32();
                reader.skip(4);
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const bool authenticated = (flags & 4U) != 0;
                if (front >> 5U != 1 || (front & 31U) > 9 || (flags & 1U) != 0 || multiplier == 0 ||
                    my == 0 || length != payload.length || (length == 24) == authenticated ||
                    (transmit | receive) >= kMostInterval) {
                    return Reading::contradicts;
                }
                // Who is not told of the other side's session is Down or AdminDown, §6.8.6.
                if (your == 0 && unsigned{flags} >> 6U > kDown) {
                    return Reading::contradicts;
                }
                std::uint64_t& before = session[index_of(payload.direction)];
                const std::uint64_t now = std::uint64_t{my} << 32U | your;
                if (first) {
                    // Version and diagnostic 5; the length of the datagram 8.
                    evidence.add(kHeader, head, payload.entry, 0, 1, 5);
                    evidence.add(kHeader, head, payload.entry, 3, 1, 8);
                    // Two octets that are nearly zero, common.
                    evidence.add(kIntervals, head, payload.entry, 12, 1, 2);
                    evidence.add(kIntervals, head, payload.entry, 16, 1, 2);
                    // Numbers of 1,000, of which 8 of 10 bits are counted: round ones are commoner
                    // elsewhere too. What the other side says of its own is likely the same.
                    if (evidence.checks().size() == kFirstChecks) {
                        add_milliseconds(evidence, head, payload.entry, transmit, receive);
                    }
                } else if (now == before) {
                    evidence.add(kSession, head, payload.entry, 4, 8, 4);
                }
                if (your != 0 && mine.answers(payload, your)) {
                    // Small numbers are common: 12 of 32 unless the upper octets are used.
                    evidence.add(kEcho, head, payload.entry, 8, 4, your < 0x10000 ? 16 : 28);
                }
                mine.say(payload, my);
                before = now;
                return Reading::fits;
            });
    }

  private:
    static constexpr std::uint32_t kMostInterval = 1U << 30U;
    static constexpr std::uint32_t kMillisecond = 1000;  // microseconds
    static constexpr std::uint32_t kDown = 1;
    static constexpr std::size_t kFirstChecks = 4;  // those of one packet alone

    static void add_milliseconds(Evidence& evidence,
                                 const FlowHead& head,
                                 std::size_t entry,
                                 std::uint32_t transmit,
                                 std::uint32_t receive) noexcept {
        if (transmit != 0 && transmit % kMillisecond == 0) {
            evidence.add(kMilliseconds, head, entry, 13, 3, 8);
        }
        if (receive != 0 && receive % kMillisecond == 0 && receive != transmit) {
            evidence.add(kMilliseconds, head, entry, 17, 3, 8);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::bfd
