// XDMCP: X terminals look for a display manager.
//
// 0 version, 1 2 | 2 operation 1..14 2 | 4 length of what follows 2
//
// Sources: X Display Manager Control Protocol 1.1.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::xdmcp {

inline constexpr Rule kHeader{"xdmcp.header", "version 1 and a known operation; XDMCP, §11"};
inline constexpr Rule kLength{"xdmcp.length",
                              "the length leads to the end of the datagram; XDMCP, §11"};
inline constexpr Rule kPort{"xdmcp.port", "UDP port 177 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{177};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kLength, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "xdmcp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "X Display Manager Control Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "X Display Manager Control Protocol 1.1"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0}), .least_length = 6};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint16_t version = reader.be16();
                const std::uint16_t operation = reader.be16();
                const std::uint16_t length = reader.be16();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                if (version != 1 || operation == 0 || operation > 14 ||
                    length + std::uint32_t{6} != payload.length) {
                    return Reading::contradicts;
                }
                if (first) {
                    // Two words with a zero octet: 10 each.
                    evidence.add(kHeader, head, payload.entry, 0, 4, 20);
                    evidence.add(kLength, head, payload.entry, 4, 2, 12);
                }
                const bool answer = operation == 5 || operation == 6 || operation == 8 ||
                                    operation == 9 || operation == 14;
                evidence.set_initiator(answer ? opposite(payload.direction) : payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::xdmcp
