// TeamSpeak 3: the first packets of a connection carry TS3INIT1 in the place of their
// authentication code.
//
// Client: "TS3INIT1" 8 | packet id 00 65 | client id 2 | 88 | version 4 | step 0, 2, 4 | ...
// Server: "TS3INIT1" 8 | packet id 00 65 | 88 | step 1, 3, 7f | ...
//
// Sources: TSLib (Splamy), ts3protocol.md.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::teamspeak {

inline constexpr Rule kMagic{"teamspeak.init_magic",
                             "the words TS3INIT1; TeamSpeak 3 protocol paper of TSLib, §2"};
inline constexpr Rule kKind{
    "teamspeak.init_kind",
    "packet id 101 and the type of the first packets, unencrypted; TSLib, §2.1"};
inline constexpr Rule kPort{"teamspeak.port", "UDP port 9987 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{9987};
inline constexpr std::array<const Rule*, 3> kRules{&kMagic, &kKind, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "teamspeak",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "TeamSpeak 3",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "TSLib (Splamy), ts3protocol.md"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({'T'}), .least_length = 12};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::string_view kWord = "TS3INIT1";
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                if (!has_text(payload.bytes, kWord)) {
                    // The commands behind have an authentication code of eight random octets.
                    return evidence.empty() ? Reading::contradicts : Reading::cut;
                }
                const std::uint16_t id = at(payload.bytes, 8).be16();
                const bool server = at(payload.bytes, 10).u8() == 0x88;
                const bool client = at(payload.bytes, 12).u8() == 0x88;
                if (id != 0x65 || (!server && !client)) {
                    return payload.bytes.size() < 13 ? ran_out(payload) : Reading::contradicts;
                }
                if (first) {
                    evidence.add(kMagic, head, payload.entry, 0, kWord.size(), word_bits(kWord));
                    evidence.add(kKind, head, payload.entry, 8, 2, 12);
                    evidence.add(kKind, head, payload.entry, server ? 10 : 12, 1, 7);
                }
                evidence.set_initiator(server ? opposite(payload.direction) : payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::teamspeak
