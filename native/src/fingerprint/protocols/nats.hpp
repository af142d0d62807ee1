// NATS (client protocol, docs.nats.io reference/nats-protocol): lines; the server speaks first.
//
//  server: "INFO {" JSON "}" CR LF, then "+OK", "MSG subject sid length", "PING"
//  client: "CONNECT {" JSON "}" CR LF, "PUB subject length", "SUB subject sid", "PING", "PONG"
//
// Sources: NATS client protocol (docs.nats.io, reference/nats-protocol).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/line_talk.hpp"

namespace flowclass::fingerprint::nats {

inline constexpr Rule kCommand{"nats.command",
                               "a line begins with a client's command; NATS client protocol"};
inline constexpr Rule kReply{"nats.reply", "a line begins as a server's; NATS client protocol"};
inline constexpr Rule kName{"nats.name",
                            "the server's first line names the server id or the payload limit"};
inline constexpr Rule kLine{"nats.line", "the first line is text and ends; NATS client protocol"};

inline constexpr std::array<std::string_view, 3> kCommands{"CONNECT {", "HPUB ", "HMSG "};
inline constexpr std::array<std::string_view, 5> kShared{"PUB", "SUB", "UNSUB", "PING", "PONG"};
inline constexpr std::array<std::string_view, 3> kGreetings{"INFO {", "+OK", "-ERR "};
inline constexpr std::array<std::string_view, 2> kPhrases{"HMSG ", "MSG "};
inline constexpr std::array<std::string_view, 2> kNames{R"("SERVER_ID":")", R"("MAX_PAYLOAD":)"};
inline constexpr LineProtocol kWords{.command = kCommand,
                                     .reply = kReply,
                                     .name = kName,
                                     .line = kLine,
                                     .commands = kCommands,
                                     .shared = kShared,
                                     .greetings = kGreetings,
                                     .phrases = kPhrases,
                                     .names = kNames,
                                     .tagged = false};

inline constexpr std::array<std::uint16_t, 1> kPorts{4222};
inline constexpr std::array<const Rule*, 4> kRules{&kCommand, &kReply, &kName, &kLine};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "nats",
        .protocol_class = ProtocolClass::app,
        .title = "NATS messaging",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "NATS client protocol (docs.nats.io, reference/nats-protocol)"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'I', 'C', 'M'}), .least_length = 3};

    static Evidence match(const FlowHead& head) noexcept { return match_lines(head, kWords); }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::nats
