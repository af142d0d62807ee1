// DoIP, the diagnosis of vehicles (ISO 13400-2), over UDP.
//
// 0 version | 1 its complement | 2 kind 2 | 4 length of what follows 4
//
// Sources: ISO 13400-2.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::doip {

inline constexpr Rule kHeader{"doip.header",
                              "a version and its complement, a known kind; ISO 13400-2 §7.1"};
inline constexpr Rule kLength{"doip.length", "the length leads to the end; ISO 13400-2 §7.1"};
inline constexpr Rule kPort{"doip.port", "UDP port 13400 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{13400};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kLength, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "doip",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Diagnostics over IP",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "ISO 13400-2"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::of({1, 2, 3, 4, 0xff}),
        .least_length = 8,
        .octets = {{{1, ByteSet::of({0x00, 0xfb, 0xfc, 0xfd, 0xfe})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t version = reader.u8();
                const std::uint8_t complement = reader.u8();
                const std::uint16_t kind = reader.be16();
                const std::uint32_t length = reader.be32();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const bool known = kind <= 8 || (kind >= 0x4001 && kind <= 0x4004) ||
                                   (kind >= 0x8001 && kind <= 0x8003);
                if ((version ^ complement) != 0xff || !known ||
                    length + std::uint64_t{8} != payload.length) {
                    return Reading::contradicts;
                }
                if (first) {
                    // Version 5, complement 8, kind 11.
                    evidence.add(kHeader, head, payload.entry, 0, 4, 24);
                    evidence.add(kLength, head, payload.entry, 4, 4, 20);
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::doip
