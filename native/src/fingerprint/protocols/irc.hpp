// IRC (RFC 1459 §2.3, RFC 2812 §3): lines of commands; a server's begin with a colon and its name.
//
//  client: "CAP LS 302", "PASS ", "NICK name", "USER name 0 * :text", "JOIN #room"
//  server: ":name NOTICE * :", ":name 001 nick :Welcome", "NOTICE AUTH :", "PING :"
//
// USER and PASS are of FTP and POP3 too: alone they say nothing.
//
// Sources: RFC 1459, RFC 2812; IRCv3 capability negotiation.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/line_talk.hpp"

namespace flowclass::fingerprint::irc {

inline constexpr Rule kCommand{
    "irc.command",
    "a line begins with a client's command; RFC 2812 §3; IRCv3 capability negotiation"};
inline constexpr Rule kReply{"irc.reply", "a line begins as a server's; RFC 2812 §2.3.1, §2.4"};
inline constexpr Rule kName{
    "irc.name", "the server's first line names a notice, a message or a numeric of IRC"};
inline constexpr Rule kLine{"irc.line", "the first line is text and ends; RFC 2812 §2.3.1, §2.4"};

inline constexpr std::array<std::string_view, 13> kCommands{"NICK",
                                                            "CAP LS",
                                                            "CAP REQ",
                                                            "CAP END",
                                                            "JOIN #",
                                                            "PRIVMSG",
                                                            "WHOIS",
                                                            "AWAY",
                                                            "TOPIC",
                                                            "PART #",
                                                            "ISON",
                                                            "USERHOST",
                                                            "OPER"};
inline constexpr std::array<std::string_view, 13> kShared{"USER",
                                                          "PASS",
                                                          "PING",
                                                          "PONG",
                                                          "QUIT",
                                                          "MODE",
                                                          "WHO",
                                                          "LIST",
                                                          "NAMES",
                                                          "SERVICE",
                                                          "NOTICE",
                                                          "LUSERS",
                                                          "MOTD"};
inline constexpr std::array<std::string_view, 2> kGreetings{"NOTICE ", ":"};
inline constexpr std::array<std::string_view, 1> kPhrases{"NOTICE AUTH :"};
inline constexpr std::array<std::string_view, 8> kNames{" NOTICE AUTH :",
                                                        " NOTICE * :",
                                                        "AUTH :***",
                                                        " 001 ",
                                                        " PRIVMSG ",
                                                        " JOIN :#",
                                                        " 433 ",
                                                        " 372 "};
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

inline constexpr std::array<std::uint16_t, 1> kPorts{6667};
inline constexpr std::array<const Rule*, 4> kRules{&kCommand, &kReply, &kName, &kLine};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "irc",
        .protocol_class = ProtocolClass::app,
        .title = "Internet Relay Chat",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "RFC 1459, RFC 2812; IRCv3 capability negotiation"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::of({':', 'N', 'C', 'J', 'U', 'n', 'c', 'j', 'u'}),
        .least_length = 3};

    static Evidence match(const FlowHead& head) noexcept { return match_lines(head, kWords); }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::irc
