// NNTP (RFC 3977 §3, §5): lines of commands and of replies with three digits.
//
//  server: "200 " or "201 " text CR LF first, then "211 ", "215 list follows", "340 "
//  client: "MODE READER", "CAPABILITIES", "GROUP ", "ARTICLE ", "XOVER ", "AUTHINFO USER "
//
// 200 and 201 alone say nothing.
//
// Sources: RFC 3977, RFC 4643, RFC 4644.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/line_talk.hpp"

namespace flowclass::fingerprint::nntp {

inline constexpr Rule kCommand{
    "nntp.command",
    "a line begins with a client's command; RFC 3977 §5 to §8, RFC 4643 §2, RFC 4644 §2"};
inline constexpr Rule kReply{"nntp.reply", "a line begins as a server's; RFC 3977 §5.1"};
inline constexpr Rule kName{"nntp.name", "the server's first line names a news server"};
inline constexpr Rule kLine{"nntp.line", "the first line is text and ends; RFC 3977 §5.1"};

inline constexpr std::array<std::string_view, 18> kCommands{"MODE READER",
                                                            "MODE STREAM",
                                                            "CAPABILITIES",
                                                            "GROUP",
                                                            "ARTICLE",
                                                            "XOVER",
                                                            "XHDR",
                                                            "OVER",
                                                            "AUTHINFO USER",
                                                            "AUTHINFO PASS",
                                                            "NEWGROUPS",
                                                            "NEWNEWS",
                                                            "LISTGROUP",
                                                            "IHAVE",
                                                            "LIST ACTIVE",
                                                            "LIST NEWSGROUPS",
                                                            "LIST OVERVIEW.FMT",
                                                            "TAKETHIS"};
inline constexpr std::array<std::string_view, 11> kShared{
    "LIST", "QUIT", "HELP", "DATE", "POST", "BODY", "HEAD", "STAT", "NEXT", "STARTTLS", "HDR"};
inline constexpr std::array<std::string_view, 4> kGreetings{"200 ", "201 ", "400 ", "502 "};
inline constexpr std::array<std::string_view, 9> kPhrases{"215 LIST OF NEWSGROUPS",
                                                          "215 LIST FOLLOWS",
                                                          "215 NEWSGROUPS",
                                                          "101 CAPABILITY LIST",
                                                          "340 SEND ARTICLE",
                                                          "381 PASS",
                                                          "281 AUTHENTICATION",
                                                          "480 AUTHENTICATION REQUIRED",
                                                          "224 OVERVIEW INFORMATION"};
inline constexpr std::array<std::string_view, 6> kNames{
    "NNTP", "NNRP", "INTERNETNEWS", "INN ", "NEWS", "POSTING"};
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

inline constexpr std::array<std::uint16_t, 1> kPorts{119};
inline constexpr std::array<const Rule*, 4> kRules{&kCommand, &kReply, &kName, &kLine};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "nntp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Network News Transfer Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 3977, RFC 4643, RFC 4644"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes =
            ByteSet::of({'1', '2', '3', '4', '5', 'A', 'C', 'L', 'M', 'N', 'X', 'm', 'l'}) |
            ByteSet::of({'a', 'c'}),
        .least_length = 3};

    static Evidence match(const FlowHead& head) noexcept { return match_lines(head, kWords); }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::nntp
