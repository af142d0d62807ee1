// IGMP (RFC 1112, RFC 2236, RFC 3376) and what shares IP protocol 2 with it.
//
// 0 kind: 11 query, 12, 16, 22 reports, 17 leave, 13 DVMRP, 14 PIM 1, 1e, 1f traceroute | 1 time or
// code | 2 checksum 2 | 4 group 4
//
// Sources: RFC 1112, RFC 2236, RFC 3376, RFC 2715.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::igmp {

inline constexpr Rule kHeader{"igmp.header",
                              "IP protocol 2 and a known kind; IANA, IGMP Type Numbers"};
inline constexpr Rule kGroup{
    "igmp.group", "a group, or none in a general query and a report of version 3; RFC 2236 §2.4"};

inline constexpr std::array<const Rule*, 2> kRules{&kHeader, &kGroup};

inline constexpr std::uint8_t kIgmp = 2;

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "igmp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Internet Group Management Protocol",
                                      .ports = {},
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 1112, RFC 2236, RFC 3376, RFC 2715"};
    static constexpr Prefilter prefilter{.ip_protos = {kIgmp}, .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence = match_datagrams(
            head, {}, kHeader, [&](Evidence& found, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t kind = reader.u8();
                reader.skip(3);
                const std::uint32_t group = reader.be32();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const bool known = (kind >= 0x11 && kind <= 0x14) || kind == 0x16 || kind == 0x17 ||
                                   kind == 0x1e || kind == 0x1f || kind == 0x22;
                const bool membership =
                    kind == 0x11 || kind == 0x12 || kind == 0x16 || kind == 0x17;
                if (!known || (membership && group >> 28U != 14 && !(kind == 0x11 && group == 0))) {
                    return Reading::contradicts;
                }
                if (first) {
                    // Ten kinds of 256.
                    found.add(kHeader, head, payload.entry, 0, 1, 5);
                    if (membership && group != 0) {
                        found.add(kGroup, head, payload.entry, 4, 1, 4);
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

}  // namespace flowclass::fingerprint::igmp
