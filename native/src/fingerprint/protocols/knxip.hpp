// KNXnet/IP, building automation.
//
// 0 header length 06 | 1 version 10 | 2 service 2: 02, 03, 04, 05, 09 in front | 4 length of the
// whole 2
//
// Sources: KNX Standard 03_08_02, EN 13321-2.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::knxip {

inline constexpr Rule kHeader{
    "knxip.header",
    "a header of six octets, version 1.0, a known service family; KNX 03_08_02, §2.3"};
inline constexpr Rule kLength{"knxip.length", "the length of the datagram; KNX 03_08_02, §2.3"};
inline constexpr Rule kPort{"knxip.port", "UDP port 3671 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{3671};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kLength, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "knxip",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "KNXnet/IP",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "KNX Standard 03_08_02, EN 13321-2"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({6}), .least_length = 6};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint16_t front = reader.be16();
                const std::uint16_t service = reader.be16();
                const std::uint16_t length = reader.be16();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const unsigned family = service >> 8U;
                if (front != 0x0610 || family < 2 || family > 10 || (service & 0xffU) > 0x40 ||
                    length != payload.length) {
                    return Reading::contradicts;
                }
                if (first) {
                    evidence.add(kHeader, head, payload.entry, 0, 4, 21);
                    evidence.add(kLength, head, payload.entry, 4, 2, 14);
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::knxip
