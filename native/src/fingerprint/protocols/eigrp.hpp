// EIGRP (RFC 7868 §6.3).
//
// 0 version 2 | 1 operation 1..12 | 2 checksum 2 | 4 flags 4 | 8 sequence 4 | 12 acknowledged 4 |
// 16 router 2 | 18 system 2 | 20 items: kind 2, length of the whole item 2
//
// Sources: RFC 7868.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::eigrp {

inline constexpr Rule kHeader{
    "eigrp.header",
    "IP protocol 88, version 2, a known operation, flags of which four are defined; RFC 7868 §6.3"};
inline constexpr Rule kItem{"eigrp.item",
                            "the first item is of a known class and fits; RFC 7868 §6.6"};

inline constexpr std::array<const Rule*, 2> kRules{&kHeader, &kItem};

inline constexpr std::uint8_t kEigrp = 88;

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "eigrp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Enhanced Interior Gateway Routing Protocol",
                                      .ports = {},
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 7868"};
    static constexpr Prefilter prefilter{.ip_protos = {kEigrp}, .least_length = 20};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence = match_datagrams(
            head, {}, kHeader, [&](Evidence& found, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t version = reader.u8();
                const std::uint8_t operation = reader.u8();
                reader.skip(2);
                const std::uint32_t flags = reader.be32();
                reader.skip(12);
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const std::uint8_t kind = reader.u8();
                reader.skip(1);
                const std::uint16_t length = reader.be16();
                if (version != 2 || operation == 0 || operation > 12 || flags > 15 ||
                    (reader.ok() &&
                     (kind > 6 || length < 4 || length + std::uint32_t{20} > payload.length))) {
                    return Reading::contradicts;
                }
                if (first) {
                    // Version 7, operation 4; three zero octets and four bits 14.
                    found.add(kHeader, head, payload.entry, 0, 2, 11);
                    found.add(kHeader, head, payload.entry, 4, 4, 14);
                    if (reader.ok()) {
                        found.add(kItem, head, payload.entry, 20, 1, 4);
                        found.add(kItem, head, payload.entry, 22, 2, 5);
                    }
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

}  // namespace flowclass::fingerprint::eigrp
