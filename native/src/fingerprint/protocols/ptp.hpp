// PTP version 2 (IEEE 1588), over UDP.
//
// 0 profile (4 bits), kind (4) | 1 minor version (4), version 2 (4) | 2 length 2 | 4 domain | 5
// minor profile | 6 flags 2 | 8 correction 8 | 16 kind's own 4 | 20 port 10 | 30 number 2 | 32
// control | 33 interval
//
// Sources: IEEE 1588-2008, IEEE 1588-2019.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::ptp {

inline constexpr Rule kHeader{
    "ptp.header", "a known kind, version 2, the length of the message; IEEE 1588-2019 §13.3"};
inline constexpr Rule kControl{"ptp.control",
                               "the control field of the kind; IEEE 1588-2008 §13.3.2.13"};
inline constexpr Rule kPortId{
    "ptp.clock_identity",
    "the middle of a clock identity made from an address of 48 bits; IEEE 1588-2008 §7.5.2.2"};
inline constexpr Rule kPort{"ptp.port", "UDP port 319 or 320 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{319, 320};
inline constexpr std::array<const Rule*, 4> kRules{&kHeader, &kControl, &kPortId, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ptp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Precision Time Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "IEEE 1588-2008, IEEE 1588-2019"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::range(0x00, 0x0d) |
                                                        ByteSet::range(0x10, 0x1d) |
                                                        ByteSet::range(0x20, 0x2d),
                                         .least_length = 44,
                                         .most_length = 1500,
                                         .octets = {{{1,
                                                      ByteSet::of({0x02,
                                                                   0x12,
                                                                   0x22,
                                                                   0x32,
                                                                   0x42,
                                                                   0x52,
                                                                   0x62,
                                                                   0x72,
                                                                   0x82,
                                                                   0x92,
                                                                   0xa2,
                                                                   0xb2,
                                                                   0xc2,
                                                                   0xd2,
                                                                   0xe2,
                                                                   0xf2})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t kind = reader.u8() & 15U;
                const std::uint8_t version = reader.u8() & 15U;
                const std::uint16_t length = reader.be16();
                const std::uint16_t middle = at(payload.bytes, 23).be16();
                const std::uint8_t control = at(payload.bytes, 32).u8();
                if (payload.bytes.size() < 34) {
                    return ran_out(payload);
                }
                constexpr std::array<std::uint8_t, 16> kControls{
                    0, 1, 5, 5, 255, 255, 255, 255, 2, 3, 5, 5, 5, 4, 255, 255};
                const bool known = kControls[kind] != 255;
                // Two octets may pad a message for the checksum over IPv6.
                if (!known || version != 2 ||
                    (length != payload.length && length + std::uint32_t{2} != payload.length) ||
                    (control != kControls[kind] && control != 0)) {
                    return Reading::contradicts;
                }
                if (first) {
                    evidence.add(kHeader, head, payload.entry, 0, 2, 5);
                    evidence.add(kHeader, head, payload.entry, 2, 2, 14);
                    evidence.add(kControl, head, payload.entry, 32, 1, 7);
                    if (middle == 0xfffe) {
                        evidence.add(kPortId, head, payload.entry, 23, 2, 12);
                    }
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ptp
