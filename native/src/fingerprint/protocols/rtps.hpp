// RTPS, the wire protocol of DDS (ROS 2 and others).
//
// 0 "RTPS" 4 | 4 version 2, 0..5 2 | 6 vendor 2 | 8 prefix 12 | 20 parts: kind | flags | length 2,
// by the lowest flag little-endian
//
// Sources: OMG DDSI-RTPS 2.5.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::rtps {

inline constexpr Rule kMagic{"rtps.magic", "the words RTPS or RTPX; DDSI-RTPS 2.5 §9.4.4"};
inline constexpr Rule kVersion{"rtps.version", "version 1 or 2; DDSI-RTPS 2.5 §9.4.4"};
inline constexpr Rule kPort{"rtps.port", "UDP port 7400 or 7410 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{7400, 7410};
inline constexpr std::array<const Rule*, 3> kRules{&kMagic, &kVersion, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "rtps",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "DDS Real-Time Publish-Subscribe",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "OMG DDSI-RTPS 2.5"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({'R'}), .least_length = 16};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                constexpr std::array<std::string_view, 2> kWords{"RTPS", "RTPX"};
                const std::string_view word = word_at(payload.bytes, kWords);
                const std::uint8_t version = at(payload.bytes, 4).u8();
                const std::uint8_t minor = at(payload.bytes, 5).u8();
                if (payload.bytes.size() < 8) {
                    return ran_out(payload);
                }
                if (word.empty() || version == 0 || version > 2 || minor > 5) {
                    return Reading::contradicts;
                }
                if (first) {
                    evidence.add(kMagic, head, payload.entry, 0, 4, 22);
                    // Two values of 256, six of 256.
                    evidence.add(kVersion, head, payload.entry, 4, 2, 11);
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::rtps
