// LDP (RFC 5036 §3.1): hellos over UDP.
//
// 0 version 1 2 | 2 length of what follows 2 | 4 router 4 | 8 label space 2 | 10 kind 0100, hello 2
// | 12 length 2 | 14 id 4 | items
//
// Sources: RFC 5036.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::ldp_discovery {

inline constexpr Rule kHeader{"ldp.hello_header",
                              "version 1 and a length to the end of the datagram; RFC 5036 §3.1"};
inline constexpr Rule kHello{"ldp.hello", "a hello whose length agrees; RFC 5036 §3.5.2"};
inline constexpr Rule kPort{"ldp.ldp_discovery_port", "UDP port 646 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{646};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kHello, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ldp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Label Distribution Protocol discovery",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 5036"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0}),
                                         .least_length = 26,
                                         .most_length = 512};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint16_t version = reader.be16();
                const std::uint16_t length = reader.be16();
                reader.skip(6);
                const std::uint16_t kind = reader.be16();
                const std::uint16_t rest = reader.be16();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                if (version != 1 || length + std::uint32_t{4} != payload.length || kind != 0x0100 ||
                    rest + std::uint32_t{10} != length) {
                    return Reading::contradicts;
                }
                if (first) {
                    evidence.add(kHeader, head, payload.entry, 0, 4, 26);
                    // The second length repeats the first: 8.
                    evidence.add(kHello, head, payload.entry, 10, 4, 20);
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ldp_discovery
