// Ubiquiti's discovery of devices.
//
// 0 version 1 or 2 | 1 command | 2 length of what follows 2 | 4 items: kind, length 2
//
// Sources: Rapid7, Understanding Ubiquiti Discovery Service Exposures (2019).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::ubiquiti_discovery {

inline constexpr Rule kHeader{"ubiquiti-discovery.header",
                              "version 1 or 2 and a length to the end; Rapid7, Understanding "
                              "Ubiquiti Discovery Service Exposures"};
inline constexpr Rule kItems{
    "ubiquiti-discovery.items",
    "items one after another, to the end or to what was kept; Rapid7, as above"};
inline constexpr Rule kPort{"ubiquiti-discovery.port", "UDP port 10001 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{10001};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kItems, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "ubiquiti-discovery",
        .protocol_class = ProtocolClass::app,
        .title = "Ubiquiti discovery",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "Rapid7, Understanding Ubiquiti Discovery Service Exposures (2019)"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({1, 2}),
                                         .least_length = 4,
                                         .most_length = 1024,
                                         .octets = {{{1, ByteSet::range(0, 16)}}}};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                reader.skip(1);
                const std::uint8_t command = reader.u8();
                const std::uint16_t length = reader.be16();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                std::size_t offset = 4;
                std::size_t items = 0;
                std::size_t last = 0;
                while (offset + 3 <= payload.bytes.size()) {
                    const std::size_t item = at(payload.bytes, offset + 1).be16();
                    if (payload.bytes[offset] == 0 || payload.bytes[offset] > 0x40 ||
                        offset + 3 + item > payload.length) {
                        return Reading::contradicts;
                    }
                    last = offset;
                    offset += 3 + item;
                    ++items;
                }
                if (command > 16 || length + std::uint32_t{4} != payload.length || items == 0) {
                    return Reading::contradicts;
                }
                if (first) {
                    evidence.add(kHeader, head, payload.entry, 0, 4, 22);
                    // Each kind 2, each length 7.
                    evidence.add(kItems,
                                 head,
                                 payload.entry,
                                 last,
                                 3,
                                 std::min(20.0, 7.0 * static_cast<double>(items)));
                }
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ubiquiti_discovery
