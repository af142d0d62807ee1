// BitTorrent's handshake behind a message stream encryption that chose plain text for what follows.
//
//  96 Diffie-Hellman key | 0 to 512 padding | more of the negotiation | peer's handshake (BEP 3)
//
// The negotiation is random throughout and says nothing by itself; the handshake stands where a
// later segment begins. It is there if the padding leaves it within the kept stream.
//
// Sources: BEP 3; Message Stream Encryption (Vuze wiki), steps 1 to 5 and crypto_select 0x01.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::bittorrent_mse {

inline constexpr Rule kHandshake{"bittorrent.handshake_after_keys",
                                 "a later segment begins with 19 and the words BitTorrent "
                                 "protocol, behind what has the length of an encryption's "
                                 "negotiation; BEP 3, Message Stream Encryption"};

inline constexpr std::array<std::uint16_t, 2> kPorts{6881, 51413};
inline constexpr std::array<std::string_view, 1> kVariants{"tcp"};
inline constexpr std::array<const Rule*, 1> kRules{&kHandshake};
inline constexpr std::size_t kKey = 96;
inline constexpr std::size_t kMostPadding = 512;

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "bittorrent",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "BitTorrent after message stream encryption",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "BEP 3, Message Stream Encryption"};
    static constexpr Prefilter prefilter{.ip_protos = {kTcp},
                                         .first_bytes = ByteSet::all(),
                                         .least_length = kKey,
                                         .most_length = kKey + kMostPadding};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::string_view kText =
            "\x13"
            "BitTorrent protocol";
        Evidence evidence;
        std::array<bool, 2> said{};
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            const Bytes stream = head.stream(payload.direction);
            const std::size_t start = head.entries[entry].start;
            bool& by_this_side = said[index_of(payload.direction)];
            // The least that goes before: the key, the verification, what was chosen, 14 octets.
            if (by_this_side || start < kKey + 14 || !has_text(payload.bytes, kText)) {
                continue;
            }
            // A key is no text: a proxy's lines that a plain handshake follows are another thing.
            const Bytes key = stream.first(kKey);
            if (std::none_of(
                    key.begin(), key.end(), [](std::uint8_t octet) { return octet >= 0x80; })) {
                continue;
            }
            by_this_side = true;
            evidence.add(kHandshake, head, entry, 0, kText.size(), 160);
            evidence.set_variant("tcp");
        }
        return evidence;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::bittorrent_mse
