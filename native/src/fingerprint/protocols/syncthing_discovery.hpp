// Syncthing's local discovery, version 4: announcements by broadcast and multicast.
//
// 0 2e a7 d9 0b | protocol buffer: 0a 20, device id 32 | 12 length, address ...
//
// Sources: Syncthing specifications, Local Discovery Protocol v4.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::syncthing_discovery {

inline constexpr Rule kMagic{"syncthing-discovery.magic",
                             "2e a7 d9 0b; Syncthing, Local Discovery Protocol v4"};
inline constexpr Rule kId{"syncthing-discovery.device_id",
                          "a first field of 32 octets; Syncthing, Local Discovery Protocol v4"};
inline constexpr Rule kPort{"syncthing-discovery.port", "UDP port 21027 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{21027};
inline constexpr std::array<const Rule*, 3> kRules{&kMagic, &kId, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "syncthing-discovery",
        .protocol_class = ProtocolClass::app,
        .title = "Syncthing local discovery",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "Syncthing specifications, Local Discovery Protocol v4"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0x2e}), .least_length = 38};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                const std::uint32_t magic = at(payload.bytes, 0).be32();
                const std::uint16_t field = at(payload.bytes, 4).be16();
                if (payload.bytes.size() < 6) {
                    return ran_out(payload);
                }
                if (magic != 0x2ea7d90b || field != 0x0a20) {
                    return Reading::contradicts;
                }
                if (first) {
                    evidence.add(kMagic, head, payload.entry, 0, 4, 30);
                    evidence.add(kId, head, payload.entry, 4, 2, 12);
                }
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::syncthing_discovery
