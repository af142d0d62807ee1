// NTP (RFC 5905 §7.3; RFC 1305 for versions 1 to 3), client, server, symmetric and broadcast modes.
//
//  0                   8                  16                  24                 31
// |LI | VN  | mode |   stratum       |     poll        |   precision     |   octet 0
// |                          root delay                                   |   4
// |                        root dispersion                                |   8
// |                          reference id                                 |  12
// |        reference, origin, receive, transmit time stamps, 64 bits each |  16, 24, 32, 40
// then, from 48, extension fields and a message authentication code.
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
inline constexpr Rule kEcho{
    "ntp.origin_echo", "the answer's origin stamp is the question's transmit stamp; RFC 5905 §8"};
inline constexpr Rule kPort{"ntp.port", "UDP port 123 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{123};
inline constexpr std::array<const Rule*, 4> kRules{&kHeader, &kClock, &kEcho, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ntp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Network Time Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 5905, RFC 1305"};
    // LI 0 to 3, version 1 to 4, mode 1 to 5.
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .least_length = 48, .most_length = 1024};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::uint64_t asked = 0;
        for (std::size_t entry = 0; entry < head.entry_count && entry < 4; ++entry) {
            const Payload payload = head.payload(entry);
            if (!is_header(payload)) {
                return {};
            }
            // Leap, version, mode: 1/2 of the values of each field of octet 0; stratum 17 of 256;
            // length 48 plus whole words.
            evidence.add(kHeader, head, entry, 0, 2, entry == 0 ? 9 : 4);
            const std::uint64_t origin = at(payload.bytes, 24).be64();
            const std::uint64_t transmit = at(payload.bytes, 40).be64();
            if (is_near(transmit, payload.time)) {
                // Two days of 2^32 seconds.
                evidence.add(kClock, head, entry, 40, 4, 14);
            }
            if (asked != 0 && origin == asked) {
                evidence.add(kEcho, head, entry, 24, 8, 64);
            }
            asked = transmit;
        }
        if (head.has_port(123)) {
            evidence.add(kPort, head, 0, 0, 0, 2);
        }
        return evidence;
    }

  private:
    static bool is_header(const Payload& payload) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t first = reader.u8();
        const std::uint8_t stratum = reader.u8();
        const std::uint8_t version = first >> 3U & 7U;
        const std::uint8_t mode = first & 7U;
        return reader.ok() && payload.bytes.size() >= 48 && payload.length % 4 == 0 &&
               version >= 1 && version <= 4 && mode >= 1 && mode <= 5 && stratum <= 16;
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
