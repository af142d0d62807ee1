// RESP, the protocol of Redis (redis.io, RESP specification): typed lines.
//
//  client: "*" count CR LF, then count times "$" length CR LF octets CR LF; the first is a command
//          inline: a command alone on a line
//  server: "+OK" | "-ERR text" | ":number" | "$" length CR LF octets CR LF | "*" count CR LF ...
//
// +OK and -ERR are POP3's and NATS' too: they count beside what is Redis' own.
//
// Sources: redis.io, reference: RESP protocol specification.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text_line.hpp"

namespace flowclass::fingerprint::redis {

inline constexpr Rule kArray{"redis.array", "an asterisk, a count in digits, CR LF; RESP §Arrays"};
inline constexpr Rule kBulk{
    "redis.bulk",
    "a dollar, a length in digits, CR LF, and CR LF where it leads; RESP §Bulk strings"};
inline constexpr Rule kCommand{"redis.command",
                               "the first element is a command of letters; RESP §Sending commands"};
inline constexpr Rule kReply{
    "redis.reply",
    "the answer begins with a type and a line that ends; RESP §RESP protocol description"};
inline constexpr Rule kInline{"redis.inline", "a command alone on its line; RESP §Inline commands"};

inline constexpr std::array<std::uint16_t, 1> kPorts{6379};
inline constexpr std::array<const Rule*, 5> kRules{&kArray, &kBulk, &kCommand, &kReply, &kInline};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "redis",
        .protocol_class = ProtocolClass::app,
        .title = "Redis",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "redis.io, reference: RESP protocol specification"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::of({'*', '$', 'I', 'i', '+', '-', ':'}),
        .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<bool, 2> asks{};
        for (const StreamSide& side : both_sides(head)) {
            asks[index_of(side.direction())] = add_client(evidence, side);
        }
        for (const StreamSide& side : both_sides(head)) {
            const bool other = asks[index_of(opposite(side.direction()))];
            if (!side.empty() && !asks[index_of(side.direction())] &&
                !add_server(evidence, side, other)) {
                return {};
            }
        }
        return evidence;
    }

  private:
    struct Number {
        std::size_t value = 0;
        std::size_t next = 0;  // behind CR LF; 0 when there is none
    };

    // Digits and CR LF.
    static Number read_number(Bytes stream, std::size_t offset) noexcept {
        constexpr std::size_t kMostDigits = 9;
        Number number;
        std::size_t place = offset;
        while (place < stream.size() && place < offset + kMostDigits && is_digit(stream[place])) {
            number.value = number.value * 10 + (stream[place] - std::size_t{'0'});
            ++place;
        }
        if (place > offset && has_text(stream, "\r\n", place)) {
            number.next = place + 2;
        }
        return number;
    }

    static bool is_word(Bytes word) noexcept {
        return !word.empty() && std::all_of(word.begin(), word.end(), [](std::uint8_t octet) {
            const std::uint8_t letter = upper_case(octet);
            return (letter >= 'A' && letter <= 'Z') || is_digit(octet) || octet == '.' ||
                   octet == '_';
        });
    }

    // "$" length CR LF octets CR LF at `offset`; the last two may be beyond what is kept.
    static bool add_bulk(Evidence& evidence, const StreamSide& side, std::size_t offset) noexcept {
        const Number size =
            side.at(offset).u8() == '$' ? read_number(side.stream(), offset + 1) : Number{};
        const std::size_t end = size.next + size.value;
        const bool closed = has_text(side.stream(), "\r\n", end);
        if (size.next == 0 || (!closed && end + 2 <= side.size())) {
            return false;
        }
        // The type 6, a digit 4, CR LF 8.
        side.add(evidence, kBulk, offset, size.next - offset, 18);
        if (closed) {
            side.add(evidence, kBulk, end, 2, 12);
        }
        return true;
    }

    static bool add_client(Evidence& evidence, const StreamSide& side) noexcept {
        constexpr std::array<std::string_view, 6> kCommands{
            "PING", "INFO", "COMMAND", "FLUSHALL", "DBSIZE", "CONFIG GET"};
        const Bytes stream = side.stream();
        if (side.empty()) {
            return false;
        }
        if (stream[0] != '*') {
            const std::size_t word = word_at(stream, 0, kCommands);
            if (word >= 4 && has_text(stream, "\r\n", word)) {
                side.add(evidence, kInline, 0, word, word_bits(word, kCommands) - 6);
                return true;
            }
            return false;
        }
        const Number count = read_number(stream, 1);
        const Number size = count.next > 0 && side.at(count.next).u8() == '$'
                                ? read_number(stream, count.next + 1)
                                : Number{};
        if (count.value == 0 || size.next == 0 || size.value == 0 || size.value > 32) {
            return false;
        }
        const Bytes word = side.at(size.next).bytes(size.value);
        if (!is_word(word) || !add_bulk(evidence, side, count.next)) {
            return false;
        }
        // As a bulk.
        side.add(evidence, kArray, 0, count.next, 18);
        side.add(
            evidence, kCommand, size.next, word.size(), 2.0 * static_cast<double>(word.size()));
        evidence.set_initiator(side.direction());
        return true;
    }

    static bool add_server(Evidence& evidence, const StreamSide& side, bool asked) noexcept {
        const Bytes stream = side.stream();
        const std::uint8_t type = stream[0];
        if (type == '$' || type == '*') {
            const Number number = read_number(stream, 1);
            if (number.next == 0) {
                return !asked || has_text(stream, "$-1\r\n") || has_text(stream, "*-1\r\n") ||
                       stream.size() < 4;
            }
            if (type == '$') {
                static_cast<void>(add_bulk(evidence, side, 0));
                return true;
            }
            const bool bulk = add_bulk(evidence, side, number.next);
            const std::uint8_t next = side.at(number.next).u8();
            if (bulk || number.value == 0 || next == ':' || next == '*' || next == '+') {
                side.add(evidence, kArray, 0, number.next, 18);
            }
            return true;
        }
        if (!asked) {
            return !side.from_start() || type == '+' || type == '-' || type == ':';
        }
        const bool line = type == '+' || type == '-' || type == ':' || type == '_' || type == '#' ||
                          type == ',' || type == '%' || type == '~' || type == '=';
        const TextLine first = read_line(stream, 0);
        if (!line || !first.clean) {
            return false;
        }
        if (first.ended) {
            // The type 5, a line that ends 8.
            side.add(evidence, kReply, 0, 1, 5);
            side.add(evidence, kReply, first.end, first.next - first.end, kLineEndBits);
        }
        evidence.set_initiator(opposite(side.direction()));
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::redis
