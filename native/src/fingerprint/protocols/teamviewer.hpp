// TeamViewer between two hosts.
//
// 0 zeros, seldom numbers 8 | 8 2 | 10 03 | 11 17 24 | 13 command | 14 length of what follows 16,
// little-endian 2
//
// Sources: public captures of TeamViewer.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::teamviewer {

inline constexpr Rule kMagic{"teamviewer.magic",
                             "03 17 24 at octet 10; the magic of its commands in public captures"};
inline constexpr Rule kLength{"teamviewer.length",
                              "the length leads to the end of the datagram; public captures"};
inline constexpr Rule kPort{"teamviewer.port", "UDP port 5938 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{5938};
inline constexpr std::array<const Rule*, 3> kRules{&kMagic, &kLength, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "teamviewer",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "TeamViewer over UDP",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "public captures of TeamViewer"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0}), .least_length = 16};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint32_t zeros = reader.be32();
                reader.skip(6);
                const std::uint32_t magic = reader.be24();
                reader.skip(1);
                const std::uint16_t length = reader.le16();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                if (zeros != 0 || magic != 0x031724 ||
                    length + std::uint32_t{16} != payload.length) {
                    return Reading::contradicts;
                }
                if (first) {
                    evidence.add(kMagic, head, payload.entry, 10, 3, 22);
                    evidence.add(kLength, head, payload.entry, 14, 2, 14);
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::teamviewer
