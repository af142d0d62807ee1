// RSVP (RFC 2205 §3.1.1).
//
// 0 version 1 (4 bits), flags (4) | 1 kind | 2 checksum 2 | 4 time to live | 5 reserved | 6 length
// of the whole 2 | 8 objects: length 2, class 1, kind 1
//
// Sources: RFC 2205, RFC 3209.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::rsvp {

inline constexpr Rule kHeader{
    "rsvp.header",
    "IP protocol 46, version 1 and a known kind; RFC 2205 §3.1.1, IANA RSVP Message Types"};
inline constexpr Rule kLength{"rsvp.length", "the length of the packet; RFC 2205 §3.1.1"};

inline constexpr std::array<const Rule*, 2> kRules{&kHeader, &kLength};

inline constexpr std::uint8_t kRsvp = 46;

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "rsvp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Resource Reservation Protocol",
                                      .ports = {},
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 2205, RFC 3209"};
    static constexpr Prefilter prefilter{.ip_protos = {kRsvp}, .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence = match_datagrams(
            head, {}, kHeader, [&](Evidence& found, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t front = reader.u8();
                const std::uint8_t kind = reader.u8();
                reader.skip(4);
                const std::uint16_t length = reader.be16();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                if (front >> 4U != 1 || kind == 0 || kind > 35 || length != payload.length ||
                    length % 4 != 0) {
                    return Reading::contradicts;
                }
                if (first) {
                    found.add(kHeader, head, payload.entry, 0, 2, 7);
                    found.add(kLength, head, payload.entry, 6, 2, 16);
                }
                return Reading::fits;
            });
        if (!evidence.empty()) {
            evidence.set_assigned_ip_protocol();
        }
        return evidence;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::rsvp
