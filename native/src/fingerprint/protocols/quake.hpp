// Messages outside a connection of the Quake engines and their many descendants.
//
// ff ff ff ff | a word, then text
//
// Sources: Quake III Arena source, dpmaster protocol.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::quake {

inline constexpr Rule kPrefix{
    "quake.prefix",
    "ff ff ff ff: a message outside a connection; Quake III Arena, qcommon/net_chan.c"};
inline constexpr Rule kWord{"quake.word",
                            "a known word of server and master queries; Quake III Arena, "
                            "server/sv_main.c, client/cl_main.c"};
inline constexpr Rule kPort{"quake.port", "UDP port 27960 or 26000 or 27950 on either side"};

inline constexpr std::array<std::uint16_t, 3> kPorts{27960, 26000, 27950};
inline constexpr std::array<const Rule*, 3> kRules{&kPrefix, &kWord, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "quake",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Quake III connectionless messages",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "Quake III Arena source, dpmaster protocol"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0xff}), .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::array<std::string_view, 18> kAsked{"getstatus",
                                                          "getinfo",
                                                          "getchallenge",
                                                          "getservers",
                                                          "getKeyAuthorize",
                                                          "connect ",
                                                          "rcon ",
                                                          "heartbeat ",
                                                          "disconnect",
                                                          "infoResponse\n",
                                                          "statusResponse\n",
                                                          "challengeResponse",
                                                          "connectResponse",
                                                          "getserversResponse",
                                                          "getserversExtResponse",
                                                          "keyAuthorize",
                                                          "ipAuthorize",
                                                          "print\n"};
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                const std::uint32_t prefix = at(payload.bytes, 0).be32();
                const std::string_view word = word_at(payload.bytes, kAsked, 4);
                if (prefix != 0xffffffff || word.empty()) {
                    // A connection begins behind the words.
                    return payload.bytes.size() < 16 ? ran_out(payload)
                           : evidence.empty()        ? Reading::contradicts
                                                     : Reading::cut;
                }
                if (first) {
                    evidence.add(kPrefix, head, payload.entry, 0, 4, 16);
                    // One of eighteen words.
                    evidence.add(kWord, head, payload.entry, 4, word.size(), word_bits(word) - 4);
                }
                const bool answer =
                    word.find("Response") != std::string_view::npos || word.front() == 'p';
                evidence.set_initiator(answer ? opposite(payload.direction) : payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::quake
