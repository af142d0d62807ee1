// Discord's voice connections: the client asks for its own address before RTP begins.
//
// 0 kind: 1 question, 2 answer, 2 | 2 length, 70, 2 | 4 source 4 | 8 address, text and zeros, 64 |
// 72 port 2
//
// Sources: Discord developer documentation, Voice connections.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::discord_voice {

inline constexpr Rule kDiscovery{
    "discord-voice.discovery",
    "kind 1 or 2, length 70, 74 octets; Discord developer documentation, IP discovery"};
inline constexpr Rule kEmpty{
    "discord-voice.empty_address",
    "a question has no address; Discord developer documentation, IP discovery"};
inline constexpr Rule kText{
    "discord-voice.address_text",
    "the address of the answer is text; Discord developer documentation, IP discovery"};
inline constexpr Rule kEcho{
    "discord-voice.source_echo",
    "the answer has the source of the question; Discord developer documentation, IP discovery"};

inline constexpr std::array<const Rule*, 4> kRules{&kDiscovery, &kEmpty, &kText, &kEcho};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "discord-voice",
        .protocol_class = ProtocolClass::app,
        .title = "Discord voice",
        .ports = {},
        .variants = {},
        .rules = kRules,
        .sources = "Discord developer documentation, Voice connections"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0}),
                                         .least_length = 74,
                                         .most_length = 74};

    static Evidence match(const FlowHead& head) noexcept {
        LastSaid<std::uint32_t> sources;
        return match_datagrams(
            head, {}, kEcho, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint16_t kind = reader.be16();
                const std::uint16_t length = reader.be16();
                const std::uint32_t source = reader.be32();
                const Bytes address = reader.bytes(8);
                if (!reader.ok()) {
                    return evidence.empty() ? ran_out(payload) : Reading::cut;
                }
                if ((kind != 1 && kind != 2) || length != 70 || payload.length != 74 ||
                    source == 0) {
                    // RTP follows.
                    return evidence.empty() ? Reading::contradicts : Reading::cut;
                }
                const bool question = kind == 1;
                const bool empty = std::all_of(
                    address.begin(), address.end(), [](std::uint8_t octet) { return octet == 0; });
                const bool text =
                    std::all_of(address.begin(), address.begin() + 7, [](std::uint8_t octet) {
                        return is_digit(octet) || octet == '.';
                    });
                if (question ? !empty : !text) {
                    return Reading::contradicts;
                }
                if (first) {
                    // Two words with a zero octet 11 each, the length 5.
                    evidence.add(kDiscovery, head, payload.entry, 0, 4, 27);
                    evidence.add(question ? kEmpty : kText,
                                 head,
                                 payload.entry,
                                 8,
                                 question ? 8 : 7,
                                 question ? 12 : 20);
                }
                if (!question && sources.answers(payload, source)) {
                    evidence.add(kEcho, head, payload.entry, 4, 4, 28);
                }
                sources.say(payload, source);
                evidence.set_initiator(question ? payload.direction : opposite(payload.direction));
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::discord_voice
