// IMAP4 (RFC 3501 §2.2, RFC 9051): commands behind a tag of the client's choice, answers behind it
// or an asterisk.
//
//  server: "* OK " text CR LF first, then "* CAPABILITY IMAP4rev1 ...", "a001 OK "
//  client: tag SP "LOGIN " | "CAPABILITY" | "STARTTLS" | "SELECT " | "AUTHENTICATE " ...
//
// Behind STARTTLS (RFC 3501 §6.2.1) the connection goes on as TLS.
//
// Sources: RFC 9051, RFC 3501, RFC 2595.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/line_talk.hpp"

namespace flowclass::fingerprint::imap {

inline constexpr Rule kCommand{"imap.command",
                               "a line begins with a client's command; RFC 3501 §6; behind a tag "
                               "of at most 12 letters and digits"};
inline constexpr Rule kReply{"imap.reply", "a line begins as a server's; RFC 3501 §7"};
inline constexpr Rule kName{"imap.name", "the server's first line names IMAP or its capabilities"};
inline constexpr Rule kLine{"imap.line", "the first line is text and ends; RFC 3501 §7"};

inline constexpr std::array<std::string_view, 19> kCommands{"CAPABILITY",
                                                            "AUTHENTICATE",
                                                            "STARTTLS",
                                                            "SELECT",
                                                            "EXAMINE",
                                                            "UID FETCH",
                                                            "UID SEARCH",
                                                            "UID STORE",
                                                            "NAMESPACE",
                                                            "ID (",
                                                            "ID NIL",
                                                            "LSUB",
                                                            "STATUS",
                                                            "IDLE",
                                                            "FETCH",
                                                            "EXPUNGE",
                                                            "GETQUOTAROOT",
                                                            "ENABLE",
                                                            "LOGIN"};
inline constexpr std::array<std::string_view, 11> kShared{"LIST",
                                                          "NOOP",
                                                          "LOGOUT",
                                                          "APPEND",
                                                          "SEARCH",
                                                          "STORE",
                                                          "COPY",
                                                          "CREATE",
                                                          "DELETE",
                                                          "CLOSE",
                                                          "CHECK"};
inline constexpr std::array<std::string_view, 4> kGreetings{
    "* OK ", "* OK", "* PREAUTH ", "* BYE "};
inline constexpr std::array<std::string_view, 10> kPhrases{"* CAPABILITY IMAP4",
                                                           "* OK [CAPABILITY",
                                                           "* FLAGS (",
                                                           "* LIST (",
                                                           "* LSUB (",
                                                           "* OK [UIDVALIDITY",
                                                           "* OK [PERMANENTFLAGS",
                                                           "* OK [UIDNEXT",
                                                           "* STATUS ",
                                                           "* NAMESPACE (("};
inline constexpr std::array<std::string_view, 4> kNames{"IMAP4REV1", "IMAP4", "IMAP", "CAPABILITY"};
inline constexpr LineProtocol kWords{.command = kCommand,
                                     .reply = kReply,
                                     .name = kName,
                                     .line = kLine,
                                     .commands = kCommands,
                                     .shared = kShared,
                                     .greetings = kGreetings,
                                     .phrases = kPhrases,
                                     .names = kNames,
                                     .tagged = true};

inline constexpr std::array<std::uint16_t, 1> kPorts{143};
inline constexpr std::array<const Rule*, 4> kRules{&kCommand, &kReply, &kName, &kLine};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "imap",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Internet Message Access Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 9051, RFC 3501, RFC 2595"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes =
            ByteSet::of({'*', '.', 'A', 'a', 'z', 'Z', 'W', 'X', 'B', 'b', 'C', 'c', 'D'}) |
            ByteSet::range('0', '9'),
        .least_length = 3};

    static Evidence match(const FlowHead& head) noexcept { return match_lines(head, kWords); }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::imap
