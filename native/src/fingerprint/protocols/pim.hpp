// PIM version 2.
//
// 0 version 2 (4 bits), kind 0..13 (4) | 1 reserved | 2 checksum 2 | kind 0, hello: options, kind
// 2, length 2
//
// Sources: RFC 7761, RFC 8736.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::pim {

inline constexpr Rule kHeader{"pim.header",
                              "IP protocol 103, version 2 and a known kind; RFC 7761 §4.9"};
inline constexpr Rule kOption{
    "pim.hello_option", "the first option of a hello has a known kind and fits; RFC 7761 §4.9.2"};

inline constexpr std::array<const Rule*, 2> kRules{&kHeader, &kOption};

inline constexpr std::uint8_t kPim = 103;

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "pim",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Protocol Independent Multicast",
                                      .ports = {},
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 7761, RFC 8736"};
    static constexpr Prefilter prefilter{.ip_protos = {kPim}, .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence = match_datagrams(
            head, {}, kHeader, [&](Evidence& found, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t front = reader.u8();
                reader.skip(3);
                const std::uint16_t option = reader.be16();
                const std::uint16_t length = reader.be16();
                if (payload.bytes.size() < 4) {
                    return ran_out(payload);
                }
                const bool hello = (front & 15U) == 0 && reader.ok();
                if (front >> 4U != 2 || (front & 15U) > 13 ||
                    (hello && length + std::uint32_t{8} > payload.length)) {
                    return Reading::contradicts;
                }
                if (first) {
                    found.add(kHeader, head, payload.entry, 0, 1, 4);
                    if (hello && option > 0 && option <= 40) {
                        found.add(kOption, head, payload.entry, 4, 4, 16);
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

}  // namespace flowclass::fingerprint::pim
