// OSPF versions 2 and 3.
//
// 0 version 2 or 3 | 1 kind 1..5 | 2 length 2 | 4 router 4 | 8 area 4 | 12 checksum 2 | 14 2:
// authentication kind 2, data 8; 3: instance 1, zero 1
//
// Sources: RFC 2328, RFC 5340, RFC 7474.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::ospf {

inline constexpr Rule kHeader{
    "ospf.header",
    "IP protocol 89, version 2 or 3, a kind from 1 to 5; RFC 2328 A.3.1, RFC 5340 A.3.1"};
inline constexpr Rule kLength{"ospf.length",
                              "a length inside the packet, which data of authentication and local "
                              "signalling may follow; RFC 2328 A.3.1"};
inline constexpr Rule kRest{"ospf.version_fields",
                            "an authentication kind of 0 to 3, or the zero octet of version 3; RFC "
                            "2328 A.3.1, RFC 7474, RFC 5340 A.3.1"};

inline constexpr std::array<std::string_view, 2> kVariants{"v2", "v3"};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kLength, &kRest};

inline constexpr std::uint8_t kOspf = 89;

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ospf",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Open Shortest Path First",
                                      .ports = {},
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 2328, RFC 5340, RFC 7474"};
    static constexpr Prefilter prefilter{.ip_protos = {kOspf}, .least_length = 16};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence = match_datagrams(
            head, {}, kHeader, [&](Evidence& found, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t version = reader.u8();
                const std::uint8_t kind = reader.u8();
                const std::uint16_t length = reader.be16();
                reader.skip(10);
                const std::uint16_t rest = reader.be16();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const std::uint16_t least = version == 2 ? 24 : 16;
                if ((version != 2 && version != 3) || kind == 0 || kind > 5 || length < least ||
                    length > payload.length || (version == 2 ? rest > 3 : (rest & 0xffU) != 0)) {
                    return Reading::contradicts;
                }
                if (first) {
                    found.add(kHeader, head, payload.entry, 0, 2, 12);
                    found.add(
                        kLength, head, payload.entry, 2, 2, length == payload.length ? 14 : 6);
                    found.add(kRest,
                              head,
                              payload.entry,
                              version == 2 ? 14 : 15,
                              version == 2 ? 2 : 1,
                              version == 2 ? 10 : 4);
                }
                found.set_variant(version == 2 ? "v2" : "v3");
                return Reading::fits;
            });
        if (!evidence.empty()) {
            evidence.set_assigned_ip_protocol();
        }
        return evidence;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ospf
