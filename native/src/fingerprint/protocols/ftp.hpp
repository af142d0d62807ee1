// FTP's control connection (RFC 959 §4, §5.4): lines of commands and of replies with three digits.
//
//  server: "220 " text CR LF first, then "331 ", "230 ", "227 Entering Passive Mode (h,h,h,h,p,p)"
//  client: "USER " name CR LF, "PASS ", "SYST", "PASV", "EPSV", "TYPE I", "RETR " ...
//
// USER, PASS, LIST, RETR and QUIT are POP3's too, and 220 is SMTP's greeting: alone they say
// nothing. Behind AUTH TLS (RFC 4217) the connection goes on as TLS.
//
// Sources: RFC 959, RFC 2228, RFC 2389, RFC 2428, RFC 3659.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/line_talk.hpp"

namespace flowclass::fingerprint::ftp {

inline constexpr Rule kCommand{
    "ftp.command",
    "a line begins with a client's command; RFC 959 §5.3, RFC 2389 §3, RFC 2428, RFC 3659 §2"};
inline constexpr Rule kReply{"ftp.reply", "a line begins as a server's; RFC 959 §5.4"};
inline constexpr Rule kName{"ftp.name", "the server's first line names FTP"};
inline constexpr Rule kLine{"ftp.line", "the first line is text and ends; RFC 959 §5.4"};

inline constexpr std::array<std::string_view, 35> kCommands{
    "SYST",   "FEAT",   "OPTS UTF8",      "OPTS MLST", "PASV",        "EPSV", "PORT ",
    "EPRT |", "TYPE A", "TYPE I",         "CWD",       "PWD",         "XPWD", "MKD",
    "STOR",   "MLSD",   "NLST",           "MDTM",      "SIZE",        "REST", "PBSZ",
    "PROT",   "CLNT",   "AUTH TLS",       "AUTH SSL",  "AUTH GSSAPI", "SITE", "CDUP",
    "RNFR",   "RNTO",   "USER ANONYMOUS", "USER FTP",  "STRU",        "ABOR", "HOST"};
inline constexpr std::array<std::string_view, 11> kShared{
    "USER", "PASS", "QUIT", "LIST", "RETR", "NOOP", "HELP", "DELE", "STAT", "MODE S", "MODE Z"};
inline constexpr std::array<std::string_view, 4> kGreetings{"220 ", "220-", "120 ", "421 "};
inline constexpr std::array<std::string_view, 24> kPhrases{"227 ENTERING PASSIVE MODE",
                                                           "229 ENTERING EXTENDED PASSIVE MODE",
                                                           "150 OPENING ",
                                                           "150 HERE COMES",
                                                           "226 TRANSFER COMPLETE",
                                                           "226 DIRECTORY SEND OK",
                                                           "331 PLEASE SPECIFY THE PASSWORD",
                                                           "331 PASSWORD REQUIRED",
                                                           "331 ANONYMOUS",
                                                           "331 GUEST LOGIN OK",
                                                           "230 LOGIN SUCCESSFUL",
                                                           "230 USER ",
                                                           "230 ANONYMOUS",
                                                           "257 \"",
                                                           "250 CWD COMMAND",
                                                           "250 DIRECTORY SUCCESSFULLY",
                                                           "200 TYPE SET",
                                                           "200 SWITCHING TO",
                                                           "215 UNIX",
                                                           "215 WINDOWS",
                                                           "211-FEATURES",
                                                           "211-EXTENSIONS",
                                                           "234 AUTH",
                                                           "331 "};
inline constexpr std::array<std::string_view, 1> kNames{"FTP"};
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

inline constexpr std::array<std::uint16_t, 1> kPorts{21};
inline constexpr std::array<const Rule*, 4> kRules{&kCommand, &kReply, &kName, &kLine};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ftp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "File Transfer Protocol, control connection",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 959, RFC 2228, RFC 2389, RFC 2428, RFC 3659"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::of(
            {'1', '2', '3', '4', 'A', 'C', 'E', 'F', 'L', 'M', 'N', 'O', 'S', 'T', 'U', 'u'}),
        .least_length = 3};

    static Evidence match(const FlowHead& head) noexcept { return match_lines(head, kWords); }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ftp
