// IPFIX (RFC 7011 §3) over UDP.
//
// 0 version, 10 2 | 2 length of the whole 2 | 4 export time 4 | 8 sequence 4 | 12 observation
// domain 4 16 sets: id 2 (2, 3 templates, 256 and more data), length 2
//
// Sources: RFC 7011.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::ipfix {

inline constexpr Rule kHeader{"ipfix.header",
                              "version 10 and the length of the datagram; RFC 7011 §3.1"};
inline constexpr Rule kClock{"ipfix.clock",
                             "the export time within a week of the capture; RFC 7011 §3.1"};
inline constexpr Rule kSet{"ipfix.set",
                           "a template or data set whose length fits; RFC 7011 §3.3.2"};
inline constexpr Rule kPort{"ipfix.port", "UDP port 4739 or 2055 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{4739, 2055};
inline constexpr std::array<const Rule*, 4> kRules{&kHeader, &kClock, &kSet, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ipfix",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "IP Flow Information Export",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 7011"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0x00}), .least_length = 20};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint16_t version = reader.be16();
                const std::uint16_t length = reader.be16();
                const std::uint32_t seconds = reader.be32();
                reader.skip(8);
                const std::uint16_t id = reader.be16();
                const std::uint16_t set = reader.be16();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                if (version != 10 || length != payload.length || (id != 2 && id != 3 && id < 256) ||
                    set < 4 || set + std::uint32_t{16} > payload.length) {
                    return Reading::contradicts;
                }
                if (first) {
                    // Version 12, zeros being common; length 16.
                    evidence.add(kHeader, head, payload.entry, 0, 4, 28);
                    evidence.add(kSet,
                                 head,
                                 payload.entry,
                                 18,
                                 2,
                                 set + std::uint32_t{16} == payload.length ? 10 : 5);
                    if (is_within_a_week(seconds, payload.time)) {
                        evidence.add(kClock, head, payload.entry, 4, 2, 11);
                    }
                }
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ipfix
