// Tuya's devices announce themselves and talk on the local network.
//
// 0 00 00 55 aa | 4 number 4 | 8 command 4 | 12 length of what follows 4 | ... | sum 4 | 00 00 aa
// 55
//
// Sources: tuyapi source.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::tuya {

inline constexpr Rule kPrefix{"tuya.prefix", "00 00 55 aa; tuyapi, lib/message-parser.js"};
inline constexpr Rule kLength{
    "tuya.length",
    "a command below 256, and a length that leads to the end; tuyapi, lib/message-parser.js"};
inline constexpr Rule kPort{"tuya.port", "UDP port 6666 or 6667 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{6666, 6667};
inline constexpr std::array<const Rule*, 3> kRules{&kPrefix, &kLength, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "tuya",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Tuya",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "tuyapi source"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0x00}), .least_length = 24};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint32_t prefix = reader.be32();
                reader.skip(4);
                const std::uint32_t command = reader.be32();
                const std::uint32_t length = reader.be32();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                if (prefix != 0x000055aa || command > 255 ||
                    length + std::uint64_t{16} != payload.length) {
                    return Reading::contradicts;
                }
                if (first) {
                    evidence.add(kPrefix, head, payload.entry, 0, 4, 24);
                    evidence.add(kLength, head, payload.entry, 8, 3, 10);
                    evidence.add(kLength, head, payload.entry, 12, 4, 22);
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::tuya
