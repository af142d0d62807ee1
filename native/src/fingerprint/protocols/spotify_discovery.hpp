// Spotify's discovery of other clients on the local network: broadcast.
//
// 0 "SpotUdp0" 8 | 8 an id 8 | 16 ...
//
// Sources: announcements of Spotify clients in public captures.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::spotify_discovery {

inline constexpr Rule kMagic{"spotify-discovery.magic", "the words SpotUdp0"};
inline constexpr Rule kPort{"spotify-discovery.port", "UDP port 57621 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{57621};
inline constexpr std::array<const Rule*, 2> kRules{&kMagic, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "spotify-discovery",
        .protocol_class = ProtocolClass::app,
        .title = "Spotify discovery",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "announcements of Spotify clients in public captures"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({'S'}),
                                         .least_length = 16,
                                         .most_length = 128};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::string_view kWord = "SpotUdp0";
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                if (!has_text(payload.bytes, kWord)) {
                    return payload.bytes.size() < kWord.size() ? ran_out(payload)
                                                               : Reading::contradicts;
                }
                evidence.add(
                    kMagic, head, payload.entry, 0, kWord.size(), first ? word_bits(kWord) : 4);
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::spotify_discovery
