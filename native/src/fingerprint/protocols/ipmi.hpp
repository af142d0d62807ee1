// RMCP, the carrier of IPMI and ASF, the management of servers.
//
// 0 version 06 | 1 reserved 00 | 2 number, ff: none | 3 class: 06 ASF, 07 IPMI, 80 more:
// acknowledgement IPMI: 4 authentication kind 0..6 | numbers, session | message.  ASF: 4 enterprise
// 000011be | kind | tag | 0 | length
//
// Sources: DMTF ASF 2.0, IPMI 2.0.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::ipmi {

inline constexpr Rule kHeader{
    "ipmi.header", "version 6, a zero, no number, class ASF or IPMI; DMTF ASF 2.0 §3.2.2"};
inline constexpr Rule kSession{
    "ipmi.session", "an authentication kind, and a length that leads to the end; IPMI 2.0 §13.6"};
inline constexpr Rule kPresence{
    "ipmi.asf", "the enterprise number of ASF and a length to the end; DMTF ASF 2.0 §3.2.2.3"};
inline constexpr Rule kPort{"ipmi.port", "UDP port 623 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{623};
inline constexpr std::array<const Rule*, 4> kRules{&kHeader, &kSession, &kPresence, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ipmi",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "IPMI (RMCP)",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "DMTF ASF 2.0, IPMI 2.0"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({6}), .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t version = reader.u8();
                const std::uint8_t reserved = reader.u8();
                const std::uint8_t number = reader.u8();
                const std::uint8_t kind = reader.u8() & 0x7fU;
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                if (version != 6 || reserved != 0 || number != 0xff || (kind != 6 && kind != 7)) {
                    return Reading::contradicts;
                }
                const std::uint8_t form = at(payload.bytes, 4).u8();
                // Authentication 0: no code; 6: the longer header of IPMI 2.0.
                const std::size_t length_at = form == 6 ? 14 : form == 0 ? 13 : 29;
                ByteReader sized = at(payload.bytes, length_at);
                const std::uint32_t length = form == 6 ? sized.le16() : sized.u8();
                const bool fits = kind == 7 && payload.length > 4 && form <= 6 && sized.ok() &&
                                  sized.position() + length <= payload.length;
                const bool presence =
                    kind == 6 && at(payload.bytes, 4).be32() == 0x000011be &&
                    at(payload.bytes, 11).u8() + std::uint32_t{12} == payload.length;
                if (payload.length > 4 && !fits && !presence) {
                    return ran_out(payload);
                }
                if (first) {
                    evidence.add(kHeader, head, payload.entry, 0, 4, 24);
                    if (fits && sized.position() + length == payload.length) {
                        evidence.add(
                            kSession, head, payload.entry, length_at, form == 6 ? 2 : 1, 10);
                    }
                    if (presence) {
                        evidence.add(kPresence, head, payload.entry, 4, 4, 24);
                        evidence.add(kPresence, head, payload.entry, 11, 1, 6);
                    }
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ipmi
