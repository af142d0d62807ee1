// TP-Link's smart home devices over UDP: JSON, each octet the sum without carry (XOR) of the one
// before in the sealed text, from 171 on.
//
// Sources: softScheck, Reverse Engineering the TP-Link HS110 (2016).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::tplink_smarthome {

inline constexpr Rule kJson{"tplink-smarthome.object",
                            "an object with a key of letters, once the octets are opened; "
                            "softScheck, Reverse Engineering the TP-Link HS110"};
inline constexpr Rule kPort{"tplink-smarthome.port", "UDP port 9999 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{9999};
inline constexpr std::array<const Rule*, 2> kRules{&kJson, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "tplink-smarthome",
        .protocol_class = ProtocolClass::app,
        .title = "TP-Link smart home",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "softScheck, Reverse Engineering the TP-Link HS110 (2016)"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0xd0}), .least_length = 12};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                // Opened: { " and ten octets of a key.
                std::array<std::uint8_t, 12> opened{};
                ByteReader reader(payload.bytes);
                std::uint8_t key = 171;
                for (std::uint8_t& octet : opened) {
                    const std::uint8_t sealed = reader.u8();
                    octet = sealed ^ key;
                    key = sealed;
                }
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const bool text = std::all_of(opened.begin(), opened.end(), [](std::uint8_t octet) {
                    return is_printable(octet);
                });
                const bool letters = std::ranges::all_of(
                    std::span(opened).subspan(2, 6),
                    [](std::uint8_t octet) { return octet >= 'a' && octet <= 'z'; });
                if (opened[0] != '{' || opened[1] != '"' || !text || !letters) {
                    return Reading::contradicts;
                }
                if (first) {
                    // Two constants 16, six small letters 3 each, text 1 each.
                    evidence.add(kJson, head, payload.entry, 0, opened.size(), 38);
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::tplink_smarthome
