// SMTP and LMTP (RFC 5321 §4.1, §4.2; RFC 2033): lines of commands and of replies with three
// digits.
//
//  server: "220 " name text CR LF first, then "250-" name CR LF "250-PIPELINING" CR LF ..., "354 "
//  client: "EHLO " name CR LF, "MAIL FROM:<", "RCPT TO:<", "DATA", "STARTTLS", "AUTH LOGIN"
//
// 220 is FTP's greeting too: it counts beside a client's command, or where it names SMTP. Behind
// STARTTLS (RFC 3207) the connection goes on as TLS.
//
// Sources: RFC 5321, RFC 2033, RFC 3207, RFC 4954, RFC 2034.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/line_talk.hpp"

namespace flowclass::fingerprint::smtp {

inline constexpr Rule kCommand{
    "smtp.command", "a line begins with a client's command; RFC 5321 §4.1.1, RFC 2033 §4.1"};
inline constexpr Rule kReply{"smtp.reply",
                             "a line begins as a server's; RFC 5321 §4.2, RFC 1870, RFC 2034"};
inline constexpr Rule kName{"smtp.name", "the server's first line names SMTP, ESMTP or LMTP"};
inline constexpr Rule kLine{"smtp.line",
                            "the first line is text and ends; RFC 5321 §4.2, RFC 1870, RFC 2034"};

inline constexpr std::array<std::string_view, 13> kCommands{"EHLO",
                                                            "HELO",
                                                            "LHLO",
                                                            "MAIL FROM:",
                                                            "RCPT TO:",
                                                            "AUTH LOGIN",
                                                            "BDAT",
                                                            "VRFY",
                                                            "EXPN",
                                                            "ETRN",
                                                            "XCLIENT",
                                                            "X-ANONYMOUSTLS",
                                                            "BURL"};
inline constexpr std::array<std::string_view, 7> kShared{
    "STARTTLS", "QUIT", "RSET", "NOOP", "DATA", "HELP", "AUTH"};
inline constexpr std::array<std::string_view, 4> kGreetings{"220 ", "220-", "554 ", "421 "};
inline constexpr std::array<std::string_view, 27> kPhrases{"250-PIPELINING",
                                                           "250-SIZE",
                                                           "250 SIZE",
                                                           "250-8BITMIME",
                                                           "250 8BITMIME",
                                                           "250-STARTTLS",
                                                           "250 STARTTLS",
                                                           "250-AUTH ",
                                                           "250 AUTH ",
                                                           "250-ENHANCEDSTATUSCODES",
                                                           "250 ENHANCEDSTATUSCODES",
                                                           "250-DSN",
                                                           "250 DSN",
                                                           "250-CHUNKING",
                                                           "250 CHUNKING",
                                                           "250-SMTPUTF8",
                                                           "250 SMTPUTF8",
                                                           "250 2.1.0 ",
                                                           "250 2.1.5 ",
                                                           "250 2.0.0 ",
                                                           "220 2.0.0 ",
                                                           "221 2.0.0 ",
                                                           "235 2.7.0 ",
                                                           "354 END DATA",
                                                           "354 START MAIL",
                                                           "354 ENTER MAIL",
                                                           "220 READY TO START TLS"};
inline constexpr std::array<std::string_view, 3> kNames{"ESMTP", "SMTP", "LMTP"};
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

inline constexpr std::array<std::uint16_t, 2> kPorts{25, 587};
inline constexpr std::array<const Rule*, 4> kRules{&kCommand, &kReply, &kName, &kLine};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "smtp",
        .protocol_class = ProtocolClass::app,
        .title = "Simple Mail Transfer Protocol",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "RFC 5321, RFC 2033, RFC 3207, RFC 4954, RFC 2034"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::of({'2', '3', '4', '5', 'A', 'E', 'L', 'M', 'R', 'e', 'm', 'r'}) |
                       ByteSet::of({'h'}),
        .least_length = 3};

    static Evidence match(const FlowHead& head) noexcept { return match_lines(head, kWords); }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::smtp
