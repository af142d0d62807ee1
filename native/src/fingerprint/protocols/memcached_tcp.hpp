// Memcached over TCP (protocol.txt and the binary protocol of memcached).
//
//  text:   "get" | "gets" | "set" ... key flags time length CR LF; "stats", "version"; answers
//  "VALUE ",
//          "STORED", "END", "STAT "
//  binary: 0 magic 80 asks, 81 answers | 1 code | 2 key length 2 | 4 extras length 1 | 5 type 0 |
//          6 bucket or status 2 | 8 length of the rest 4 | 12 opaque 4 | 16 cas 8
//
// Sources: memcached doc/protocol.txt; memcached wiki, BinaryProtocolRevamped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/line_talk.hpp"
#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::memcached_tcp {

inline constexpr Rule kCommand{
    "memcached.tcp_command", "a line begins with a command that is memcached alone; protocol.txt"};
inline constexpr Rule kReply{"memcached.tcp_reply",
                             "a line begins as an answer of memcached alone; protocol.txt"};
inline constexpr Rule kLine{"memcached.tcp_line", "the first line is text and ends; protocol.txt"};
inline constexpr Rule kBinary{
    "memcached.tcp_binary", "a magic, a code, lengths that fit each other; BinaryProtocolRevamped"};
inline constexpr Rule kEcho{
    "memcached.tcp_opaque",
    "the answer has the code and the opaque number of the request; BinaryProtocolRevamped"};

inline constexpr std::array<std::uint16_t, 1> kPorts{11211};
inline constexpr std::array<const Rule*, 5> kRules{&kCommand, &kReply, &kLine, &kBinary, &kEcho};

inline constexpr std::array<std::string_view, 11> kCommands{"GETS",
                                                            "STATS SLABS",
                                                            "STATS ITEMS",
                                                            "STATS SETTINGS",
                                                            "STATS",
                                                            "FLUSH_ALL",
                                                            "INCR",
                                                            "DECR",
                                                            "CAS",
                                                            "TOUCH",
                                                            "VERBOSITY"};
inline constexpr std::array<std::string_view, 9> kShared{
    "GET", "SET", "ADD", "REPLACE", "APPEND", "PREPEND", "DELETE", "VERSION", "QUIT"};
inline constexpr std::array<std::string_view, 6> kGreetings{
    "END", "ERROR", "OK", "VERSION 1.", "DELETED", "CLIENT_ERROR "};
inline constexpr std::array<std::string_view, 6> kPhrases{
    "STORED", "NOT_STORED", "NOT_FOUND", "VALUE ", "STAT PID ", "STAT "};
inline constexpr LineProtocol kWords{.command = kCommand,
                                     .reply = kReply,
                                     .name = kReply,
                                     .line = kLine,
                                     .commands = kCommands,
                                     .shared = kShared,
                                     .greetings = kGreetings,
                                     .phrases = kPhrases,
                                     .names = {},
                                     .tagged = false};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "memcached",
        .protocol_class = ProtocolClass::app,
        .title = "Memcached over TCP",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "memcached doc/protocol.txt; memcached wiki, BinaryProtocolRevamped"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes =
            ByteSet::of({0x80, 0x81, 'g', 's', 'a', 'd', 'i', 'v', 'f', 't', 'V', 'S', 'E', 'N'}),
        .least_length = 2};

    static Evidence match(const FlowHead& head) noexcept {
        const bool binary = (head.stream(Direction::forward).size() > 0 &&
                             head.stream(Direction::forward)[0] >= 0x80) ||
                            (head.stream(Direction::reverse).size() > 0 &&
                             head.stream(Direction::reverse)[0] >= 0x80);
        return binary ? match_binary(head) : match_lines(head, kWords);
    }

  private:
    struct Header {
        std::uint8_t magic = 0;
        std::uint8_t code = 0;
        std::uint32_t length = 0;
        std::uint32_t opaque = 0;
        bool ok = false;
    };

    static Header read(const StreamSide& side) noexcept {
        ByteReader reader = side.at(0);
        Header header;
        header.magic = reader.u8();
        header.code = reader.u8();
        const std::uint16_t key = reader.be16();
        const std::uint8_t extras = reader.u8();
        const std::uint8_t type = reader.u8();
        const std::uint16_t status = reader.be16();
        header.length = reader.be32();
        header.opaque = reader.be32();
        reader.skip(8);
        header.ok = reader.ok() && (header.magic == 0x80 || header.magic == 0x81) &&
                    header.code <= 0x48 && key <= 250 && extras <= 24 && type == 0 &&
                    key + std::uint32_t{extras} <= header.length && header.length <= (1U << 21U) &&
                    (header.magic == 0x80 || status <= 0x86);
        return header;
    }

    static Evidence match_binary(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<Header, 2> seen;
        for (const StreamSide& side : both_sides(head)) {
            Header& header = seen[index_of(side.direction())];
            header = read(side);
            if (!header.ok) {
                if (side.size() >= 24) {
                    return {};
                }
                continue;
            }
            // Magic 7, code 2, key's high octet 6, extras 4, type 6, the rest's high octets 8; the
            // end of a segment 6.
            side.add(evidence, kBinary, 0, 6, 24);
            side.add(evidence, kBinary, 8, 4, side.is_end(24 + header.length) ? 14 : 8);
            evidence.set_initiator(header.magic == 0x80 ? side.direction()
                                                        : opposite(side.direction()));
        }
        const bool pair = seen[0].ok && seen[1].ok && seen[0].magic != seen[1].magic;
        if (seen[0].ok && seen[1].ok && !pair) {
            return {};
        }
        if (pair && seen[0].opaque == seen[1].opaque && seen[0].code == seen[1].code) {
            const Direction answer =
                seen[0].magic == 0x81 ? Direction::forward : Direction::reverse;
            // Opaque is often 0.
            add_at(evidence, kEcho, head, {answer, 0, 0}, 12, 4, seen[0].opaque == 0 ? 8 : 24);
        }
        return evidence;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::memcached_tcp
