// The magic packet: ff six times, then an address of six octets sixteen times.
//
// Sources: AMD, Magic Packet Technology (1995).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::wake_on_lan {

inline constexpr Rule kMagic{"wake-on-lan.magic",
                             "six octets ff, then the same six octets as often as they were kept; "
                             "AMD, Magic Packet Technology"};
inline constexpr Rule kPort{"wake-on-lan.port", "UDP port 9 or 7 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{9, 7};
inline constexpr std::array<const Rule*, 2> kRules{&kMagic, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "wake-on-lan",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Wake-on-LAN",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "AMD, Magic Packet Technology (1995)"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0xff}),
                                         .least_length = 102,
                                         .most_length = 108};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                const Bytes front =
                    payload.bytes.first(std::min<std::size_t>(payload.bytes.size(), 54));
                if (front.size() < 54) {
                    return ran_out(payload);
                }
                const Bytes address = front.subspan(6, 6);
                bool same = std::any_of(address.begin(), address.end(), [&](std::uint8_t octet) {
                    return octet != address[0];
                });
                for (std::size_t octet = 0; octet < front.size(); ++octet) {
                    same = same && front[octet] == (octet < 6 ? 0xff : address[octet % 6]);
                }
                if (!same) {
                    return Reading::contradicts;
                }
                if (first) {
                    // Six octets of ff 24; seven repetitions of six octets, for repetition is
                    // common, 6 each.
                    evidence.add(kMagic, head, payload.entry, 0, 6, 24);
                    evidence.add(kMagic, head, payload.entry, 6, 48, 42);
                }
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::wake_on_lan
