// POP3 (RFC 1939 §3, RFC 2449): a server that answers +OK or -ERR to lines of commands.
//
//  server: "+OK " text CR LF first, then the same to every command, lists behind it
//  client: "USER " name, "PASS ", "CAPA", "STLS", "APOP ", "STAT", "UIDL", "LIST", "RETR " number
//
// USER, PASS, LIST, RETR and QUIT are FTP's too, +OK and -ERR are Redis' and NATS': alone they say
// nothing. Behind STLS (RFC 2595 §4) the connection goes on as TLS.
//
// Sources: RFC 1939, RFC 2449, RFC 2595.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/line_talk.hpp"

namespace flowclass::fingerprint::pop3 {

inline constexpr Rule kCommand{
    "pop3.command",
    "a line begins with a client's command; RFC 1939 §5, §7; RFC 2449 §5; RFC 2595 §4"};
inline constexpr Rule kReply{"pop3.reply", "a line begins as a server's; RFC 1939 §3"};
inline constexpr Rule kName{"pop3.name", "the server's first line names POP3 or a mail server"};
inline constexpr Rule kLine{"pop3.line", "the first line is text and ends; RFC 1939 §3"};

inline constexpr std::array<std::string_view, 8> kCommands{
    "CAPA", "STLS", "APOP", "UIDL", "TOP", "AUTH PLAIN", "AUTH NTLM", "AUTH CRAM-MD5"};
inline constexpr std::array<std::string_view, 10> kShared{
    "USER", "PASS", "STAT", "LIST", "RETR", "DELE", "QUIT", "RSET", "NOOP", "AUTH"};
inline constexpr std::array<std::string_view, 3> kGreetings{"+OK ", "+OK", "-ERR "};
inline constexpr std::array<std::string_view, 10> kPhrases{"+OK POP3",
                                                           "+OK HELLO THERE",
                                                           "+OK CAPABILITY LIST FOLLOWS",
                                                           "+OK USER ",
                                                           "+OK MAILDROP",
                                                           "+OK WELCOME",
                                                           "+OK PASSWORD REQUIRED",
                                                           "+OK LOGGED IN",
                                                           "-ERR [AUTH]",
                                                           "-ERR [SYS/"};
inline constexpr std::array<std::string_view, 4> kNames{"POP3", "POP SERVER", "MAIL", "DOVECOT"};
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

inline constexpr std::array<std::uint16_t, 1> kPorts{110};
inline constexpr std::array<const Rule*, 4> kRules{&kCommand, &kReply, &kName, &kLine};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "pop3",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Post Office Protocol 3",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 1939, RFC 2449, RFC 2595"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::of({'+', '-', 'A', 'C', 'S', 'U', 'a', 'c', 'u'}),
        .least_length = 3};

    static Evidence match(const FlowHead& head) noexcept { return match_lines(head, kWords); }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::pop3
