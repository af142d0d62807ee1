// STOMP (specification 1.2 §Frames): a command alone on its line, headers, an empty line, a body up
// to a zero.
//
//  client: "CONNECT" or "STOMP" LF "accept-version:1.2" LF "host:name" LF LF 00; "SEND",
//  "SUBSCRIBE" server: "CONNECTED" LF "version:1.2" LF ...; "MESSAGE", "RECEIPT", "ERROR"
//
// Sources: STOMP 1.2, 1.1, 1.0 specifications (stomp.github.io).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/line_talk.hpp"

namespace flowclass::fingerprint::stomp {

inline constexpr Rule kCommand{"stomp.command",
                               "a line begins with a client's command; STOMP 1.2 §CONNECT, §SEND"};
inline constexpr Rule kReply{"stomp.reply",
                             "a line begins as a server's; STOMP 1.2 §CONNECTED, §MESSAGE"};
inline constexpr Rule kLine{"stomp.line",
                            "the first line is text and ends; STOMP 1.2 §CONNECTED, §MESSAGE"};

inline constexpr std::array<std::string_view, 3> kCommands{
    "ACCEPT-VERSION:", "HEART-BEAT:", "DESTINATION:/"};
inline constexpr std::array<std::string_view, 7> kShared{
    "CONNECT", "STOMP", "SEND", "SUBSCRIBE", "HOST:", "LOGIN:", "PASSCODE:"};
inline constexpr std::array<std::string_view, 4> kGreetings{
    "CONNECTED", "MESSAGE", "RECEIPT", "ERROR"};
inline constexpr std::array<std::string_view, 5> kPhrases{
    "VERSION:1.", "SUBSCRIPTION:", "MESSAGE-ID:", "SESSION:", "SERVER:"};
inline constexpr std::array<std::string_view, 0> kNames{};
inline constexpr LineProtocol kWords{.command = kCommand,
                                     .reply = kReply,
                                     .name = kReply,
                                     .line = kLine,
                                     .commands = kCommands,
                                     .shared = kShared,
                                     .greetings = kGreetings,
                                     .phrases = kPhrases,
                                     .names = kNames,
                                     .tagged = false};

inline constexpr std::array<std::uint16_t, 1> kPorts{61613};
inline constexpr std::array<const Rule*, 3> kRules{&kCommand, &kReply, &kLine};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "stomp",
        .protocol_class = ProtocolClass::app,
        .title = "Simple Text Oriented Messaging Protocol",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "STOMP 1.2, 1.1, 1.0 specifications (stomp.github.io)"};
    static constexpr Prefilter prefilter{.ip_protos = {kTcp},
                                         .first_bytes = ByteSet::of({'C', 'M', 'S', 'R', 'E'}),
                                         .least_length = 3};

    static Evidence match(const FlowHead& head) noexcept { return match_lines(head, kWords); }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::stomp
