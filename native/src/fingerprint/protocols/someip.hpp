// SOME/IP, the services of vehicles, over UDP.
//
// 0 service 2, method 2 | 4 length of what follows 4 | 8 client 2, session 2 | 12 protocol version
// 1 | 13 interface version | 14 kind | 15 code Service discovery: service ffff, method 8100. A
// datagram may hold several messages.
//
// Sources: AUTOSAR SOME/IP Protocol Specification, Service Discovery.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::someip {

inline constexpr Rule kHeader{"someip.header",
                              "protocol version 1, a known kind and code; AUTOSAR SOME/IP §4.1"};
inline constexpr Rule kLength{
    "someip.length",
    "the length leads to the end, or to another message; AUTOSAR SOME/IP §4.1.2.3"};
inline constexpr Rule kDiscovery{
    "someip.service_discovery",
    "service ffff, method 8100; AUTOSAR SOME/IP Service Discovery §5.1.2"};
inline constexpr Rule kPort{"someip.port", "UDP port 30490 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{30490};
inline constexpr std::array<const Rule*, 4> kRules{&kHeader, &kLength, &kDiscovery, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "someip",
        .protocol_class = ProtocolClass::app,
        .title = "SOME/IP",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "AUTOSAR SOME/IP Protocol Specification, Service Discovery"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .least_length = 16, .octets = {{{12, ByteSet::of({1})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint32_t id = reader.be32();
                const std::uint32_t length = reader.be32();
                reader.skip(4);
                const std::uint8_t version = reader.u8();
                reader.skip(1);
                const std::uint8_t kind = reader.u8();
                const std::uint8_t code = reader.u8();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const std::uint8_t plain = kind & 0xdfU;  // without the mark of segments
                const bool known = plain <= 2 || plain == 0x40 || plain == 0x41 || plain == 0x42 ||
                                   plain == 0x80 || plain == 0x81;
                const bool more = at(payload.bytes, std::size_t{length} + 8 + 12).u8() == 1 &&
                                  length + std::uint64_t{24} <= payload.length;
                if (version != 1 || !known || code > 0x20 || length < 8 ||
                    (length + std::uint64_t{8} != payload.length && !more)) {
                    return Reading::contradicts;
                }
                if (first) {
                    evidence.add(kHeader, head, payload.entry, 12, 1, 7);
                    // Kind 4, code 3.
                    evidence.add(kHeader, head, payload.entry, 14, 2, 7);
                    evidence.add(kLength, head, payload.entry, 4, 4, more ? 12 : 22);
                    if (id == 0xffff8100) {
                        evidence.add(kDiscovery, head, payload.entry, 0, 4, 24);
                    }
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::someip
