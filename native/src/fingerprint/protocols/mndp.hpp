// MNDP, MikroTik's neighbour discovery.
//
// 0 header 2 | 2 number 2 | 4 items: kind 2, length 2: 1 hardware address, 5 identity, 7 version, 8
// platform, ...
//
// Sources: MikroTik documentation, public captures.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::mndp {

inline constexpr Rule kItems{"mndp.items",
                             "known items one after another, to the end or to what was kept; "
                             "MikroTik documentation, Neighbor discovery"};
inline constexpr Rule kAddress{
    "mndp.hardware_address",
    "a hardware address of six octets first; MikroTik documentation, Neighbor discovery"};
inline constexpr Rule kPort{"mndp.port", "UDP port 5678 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{5678};
inline constexpr std::array<const Rule*, 3> kRules{&kItems, &kAddress, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "mndp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "MikroTik neighbour discovery",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "MikroTik documentation, public captures"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0}), .least_length = 18};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                std::size_t offset = 4;
                std::size_t items = 0;
                std::size_t last = 0;
                while (offset + 4 <= payload.bytes.size()) {
                    ByteReader reader = at(payload.bytes, offset);
                    const std::uint16_t kind = reader.be16();
                    const std::uint16_t length = reader.be16();
                    const bool fixed = kind != 1 || length == 6;
                    if (kind == 0 || kind > 20 || !fixed || offset + 4 + length > payload.length) {
                        return Reading::contradicts;
                    }
                    last = offset;
                    offset += 4U + length;
                    ++items;
                }
                const bool address = at(payload.bytes, 4).be32() == 0x00010006;
                if (items < 2 || !address ||
                    (offset != payload.length && payload.bytes.size() == payload.length)) {
                    return ran_out(payload);
                }
                if (first) {
                    evidence.add(kAddress, head, payload.entry, 4, 4, 26);
                    // A kind of twenty 10, zeros being common, and a length that fits 4.
                    evidence.add(kItems, head, payload.entry, last, 2, 10);
                }
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::mndp
