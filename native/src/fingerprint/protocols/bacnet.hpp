// BACnet/IP (ASHRAE 135 annex J), building automation.
//
// 0 kind 81 | 1 function 0..c | 2 length of the whole 2 | functions 9, a, b: NPDU; 4: forwarded,
// address 6, NPDU NPDU: version 1 | control, bits 6 and 4 zero
//
// Sources: ASHRAE 135 annex J, clause 6.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::bacnet {

inline constexpr Rule kHeader{"bacnet.header", "kind 81, a known function; ASHRAE 135 J.2"};
inline constexpr Rule kLength{"bacnet.length", "the length of the datagram; ASHRAE 135 J.2"};
inline constexpr Rule kNetwork{
    "bacnet.network_layer", "version 1 and the reserved control bits zero; ASHRAE 135 clause 6.2"};
inline constexpr Rule kPort{"bacnet.port", "UDP port 47808 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{47808};
inline constexpr std::array<const Rule*, 4> kRules{&kHeader, &kLength, &kNetwork, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "bacnet",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "BACnet/IP",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "ASHRAE 135 annex J, clause 6"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0x81}),
                                         .least_length = 4,
                                         .most_length = 1506};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t kind = reader.u8();
                const std::uint8_t function = reader.u8();
                const std::uint16_t length = reader.be16();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const bool carries = function == 4 || (function >= 9 && function <= 11);
                const std::size_t network_at = function == 4 ? 10 : 4;
                ByteReader network = at(payload.bytes, network_at);
                const std::uint8_t version = network.u8();
                const std::uint8_t control = network.u8();
                if (kind != 0x81 || function > 12 || length != payload.length ||
                    (carries && (!network.ok() || version != 1 || (control & 0x50U) != 0))) {
                    return Reading::contradicts;
                }
                if (first) {
                    evidence.add(kHeader, head, payload.entry, 0, 2, 12);
                    evidence.add(kLength, head, payload.entry, 2, 2, 16);
                    if (carries) {
                        evidence.add(kNetwork, head, payload.entry, network_at, 2, 9);
                    }
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::bacnet
