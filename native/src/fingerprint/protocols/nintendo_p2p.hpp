// Pia, the peer-to-peer sessions of Nintendo's consoles.
//
// 0 magic 32 ab 98 64 | 4 version and a flag for encryption | 5 connection id | 6 number 2 | nonce
// 8, from version 3 on | tag 16 | sealed
//
// Sources: NintendoClients wiki, Pia Protocol.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::nintendo_p2p {

inline constexpr Rule kMagic{"nintendo-p2p.magic",
                             "32 ab 98 64 in front; NintendoClients wiki, Pia Protocol"};
inline constexpr Rule kAgain{
    "nintendo-p2p.magic_again",
    "the same magic in packets of the other direction; NintendoClients wiki, Pia Protocol"};

inline constexpr std::array<const Rule*, 2> kRules{&kMagic, &kAgain};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "nintendo-p2p",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Nintendo peer-to-peer (Pia)",
                                      .ports = {},
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "NintendoClients wiki, Pia Protocol"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0x32}), .least_length = 16};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, {}, kMagic, [&](Evidence& evidence, const Payload& payload, bool first) {
                const std::uint32_t magic = at(payload.bytes, 0).be32();
                const std::uint8_t version = at(payload.bytes, 4).u8() & 0x7fU;
                if (payload.bytes.size() < 8) {
                    return ran_out(payload);
                }
                if (magic != 0x32ab9864 || version == 0 || version > 15) {
                    return Reading::contradicts;
                }
                if (first) {
                    // The magic 30, a version of fifteen 3.
                    const Rule& rule = evidence.empty() ? kMagic : kAgain;
                    evidence.add(rule, head, payload.entry, 0, 4, 30);
                    evidence.add(rule, head, payload.entry, 4, 1, 3);
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::nintendo_p2p
