// H.225.0 RAS, the registration of H.323, in packed encoding: requests name the protocol by its
// object id, 0.0.8.2250.0.version.
//
// Sources: ITU-T H.225.0, X.691.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::h323_ras {

inline constexpr Rule kId{"h323-ras.protocol_id",
                          "the six octets of itu-t recommendation h 2250 and a version from 1 to 8 "
                          "among the first; H.225.0 annex H, X.691"};
inline constexpr Rule kPort{"h323-ras.port", "UDP port 1718 or 1719 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{1718, 1719};
inline constexpr std::array<const Rule*, 2> kRules{&kId, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "h323-ras",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "H.323 registration",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "ITU-T H.225.0, X.691"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::range(0x00, 0x7f), .least_length = 12};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                const std::size_t place = find_object(payload.bytes);
                const std::uint8_t version = at(payload.bytes, place + kObject.size()).u8();
                if (place == 0 || version == 0 || version > 8) {
                    // Confirmations may go without it.
                    return evidence.empty() ? Reading::contradicts : Reading::cut;
                }
                if (first) {
                    // Six constant octets 40, at one of nine places 3 fewer; the version 5.
                    evidence.add(kId, head, payload.entry, place, 7, 42);
                }
                return Reading::fits;
            });
    }

  private:
    // 06: its length; 00 08 91 4a 00: the id; the version stands behind it.
    static constexpr std::array<std::uint8_t, 6> kObject{0x06, 0x00, 0x08, 0x91, 0x4a, 0x00};

    // Where the id stands; 0 where it does not. Its fourth octet is the rarest.
    static std::size_t find_object(Bytes bytes) noexcept {
        constexpr std::size_t kLeastOffset = 3;
        constexpr std::size_t kMostOffset = 13;
        for (std::size_t place = kLeastOffset;
             place <= kMostOffset && place + kObject.size() <= bytes.size();
             ++place) {
            if (bytes[place + 3] == kObject[3]) {
                const Bytes found = bytes.subspan(place, kObject.size());
                if (std::equal(found.begin(), found.end(), kObject.begin())) {
                    return place;
                }
            }
        }
        return 0;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::h323_ras
