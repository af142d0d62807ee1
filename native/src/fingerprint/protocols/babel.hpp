// Babel, a routing protocol of meshes (RFC 8966 §4.2).
//
// 0 magic 42 | 1 version 2 | 2 length of the body 2 | 4 items: kind, length, value; kind 0 alone is
// padding
//
// Sources: RFC 8966, RFC 6126.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::babel {

inline constexpr Rule kHeader{"babel.header", "magic 42, version 2; RFC 8966 §4.2"};
inline constexpr Rule kLength{"babel.length", "the length of the datagram; RFC 8966 §4.2"};
inline constexpr Rule kItems{"babel.items",
                             "known items to the end or to what was kept; RFC 8966 §4.3"};
inline constexpr Rule kPort{"babel.port", "UDP port 6696 or 6697 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{6696, 6697};
inline constexpr std::array<const Rule*, 4> kRules{&kHeader, &kLength, &kItems, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "babel",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Babel",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 8966, RFC 6126"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({42}), .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t magic = reader.u8();
                const std::uint8_t version = reader.u8();
                const std::uint16_t length = reader.be16();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                // A trailer of authentication may follow the body.
                if (magic != 42 || version != 2 || length + std::uint32_t{4} > payload.length) {
                    return Reading::contradicts;
                }
                std::size_t offset = 4;
                std::size_t last = 0;
                const std::size_t end = length + std::size_t{4};
                while (offset < std::min(payload.bytes.size(), end)) {
                    const std::uint8_t kind = payload.bytes[offset];
                    const std::size_t size =
                        kind == 0 ? 1U : 2U + at(payload.bytes, offset + 1).u8();
                    if ((kind > 32 && kind < 224) || offset + size > end) {
                        return Reading::contradicts;
                    }
                    last = offset;
                    offset += size;
                }
                if (first) {
                    evidence.add(kHeader, head, payload.entry, 0, 2, 15);
                    evidence.add(kLength,
                                 head,
                                 payload.entry,
                                 2,
                                 2,
                                 length + std::uint32_t{4} == payload.length ? 14 : 6);
                    if (last != 0) {
                        evidence.add(kItems, head, payload.entry, last, 1, 4);
                    }
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::babel
