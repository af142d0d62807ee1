// The client/server protocol of MySQL and MariaDB (MySQL internals: client/server protocol), TCP;
// the server speaks first.
//
//  0 length 3, little-endian | 3 sequence 1 | 4 ...
//  greeting: sequence 0 | 0A | version, printable, 00 | thread 4 | salt 8 | 00 | capabilities 2 ...
//  answer: sequence 1 | capabilities 4 | largest packet 4 | charset 1 | 23 zeros (MariaDB: 19) |
//  name 00 SSL request: the same up to the zeros, length 32; TLS follows refusal: sequence 0 | FF |
//  error 2 | text query: sequence 0 | 03 | SQL
//
// Sources: MySQL internals manual, client/server protocol: Protocol::HandshakeV10,
// HandshakeResponse41, SSLRequest, ERR_Packet, COM_QUERY; MariaDB knowledge base, connection.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text_line.hpp"

namespace flowclass::fingerprint::mysql {

inline constexpr Rule kGreeting{
    "mysql.greeting", "sequence 0, protocol 10, a version that begins with digits; HandshakeV10"};
inline constexpr Rule kFiller{"mysql.filler",
                              "a zero behind version, thread and salt; HandshakeV10"};
inline constexpr Rule kAnswer{
    "mysql.answer",
    "sequence 1, the 4.1 protocol, 19 zeros behind the charset; HandshakeResponse41"};
inline constexpr Rule kRefusal{
    "mysql.refusal", "sequence 0, an error packet with a code of the server and text; ERR_Packet"};
inline constexpr Rule kQuery{"mysql.query",
                             "sequence 0, a query command, a word of SQL; COM_QUERY"};
inline constexpr Rule kLength{"mysql.length",
                              "the length in front leads to the end of a segment; MySQL packets"};

inline constexpr std::array<std::uint16_t, 1> kPorts{3306};
inline constexpr std::array<const Rule*, 6> kRules{
    &kGreeting, &kFiller, &kAnswer, &kRefusal, &kQuery, &kLength};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "mysql",
        .protocol_class = ProtocolClass::app,
        .title = "MySQL and MariaDB",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources =
            "MySQL internals manual, client/server protocol: Protocol::HandshakeV10, "
            "HandshakeResponse41, SSLRequest, ERR_Packet, COM_QUERY; MariaDB knowledge base, "
            "connection"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .least_length = 5, .octets = {{{3, ByteSet::of({0, 1})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        for (const StreamSide& side : both_sides(head)) {
            ByteReader reader = side.at(0);
            const std::uint8_t first = reader.u8();
            const std::uint16_t higher = reader.le16();
            const std::uint8_t sequence = reader.u8();
            const std::uint8_t command = reader.u8();
            const std::size_t length = first + (std::size_t{higher} << 8U);
            if (!reader.ok() || length == 0) {
                continue;
            }
            std::size_t said = 0;
            if (sequence == 0 && command == 0x0a) {
                said = add_greeting(evidence, side, length);
            } else if (sequence == 0 && command == 0xff) {
                said = add_refusal(evidence, side, length);
            } else if (sequence == 1) {
                said = add_answer(evidence, side, length);
            } else if (sequence == 0 && command == 0x03) {
                said = add_query(evidence, side);
            }
            // The answer of before 4.1 has little form.
            if (said == 0 && side.from_start() && sequence != 1) {
                return {};
            }
            if (said != 0 && side.is_end(4 + length)) {
                // One of a few ends in 2^24, but short messages fill segments anyway.
                side.add(evidence, kLength, 0, 3, 12);
            }
        }
        return evidence;
    }

  private:
    static std::size_t add_greeting(Evidence& evidence,
                                    const StreamSide& side,
                                    std::size_t length) noexcept {
        constexpr std::size_t kLongest = 64;
        const Bytes stream = side.stream();
        std::size_t end = 5;
        while (end < stream.size() && end < kLongest && is_printable(stream[end])) {
            ++end;
        }
        ByteReader reader = side.at(end);
        const std::uint8_t zero = reader.u8();
        reader.skip(12);
        const std::uint8_t filler = reader.u8();
        const bool version =
            side.size() > 8 && is_digit(stream[5]) && (stream[6] == '.' || stream[7] == '.');
        if (!reader.ok() || !version || zero != 0 || filler != 0 || length < 40 || length > 300) {
            return 0;
        }
        // Sequence and protocol 14, a digit 4, a dot 5; printable up to a zero 6.
        side.add(evidence, kGreeting, 3, 3, 18);
        side.add(evidence, kGreeting, stream[6] == '.' ? 6 : 7, 1, 5);
        side.add(evidence, kFiller, end, 1, 6);
        side.add(evidence, kFiller, end + 13, 1, 6);
        evidence.set_initiator(opposite(side.direction()));
        return end;
    }

    static std::size_t add_answer(Evidence& evidence,
                                  const StreamSide& side,
                                  std::size_t length) noexcept {
        constexpr std::uint32_t kProtocol41 = 0x0200;
        ByteReader reader = side.at(4);
        const std::uint32_t capabilities = reader.le32();
        const std::uint32_t largest = reader.le32();
        const std::uint8_t charset = reader.u8();
        const Bytes zeros = reader.bytes(19);
        const bool filled =
            std::all_of(zeros.begin(), zeros.end(), [](std::uint8_t octet) { return octet == 0; });
        if (!reader.ok() || (capabilities & kProtocol41) == 0 || largest > (1U << 30U) ||
            charset == 0 || !filled || length < 32 || length > 4096) {
            return 0;
        }
        // Sequence 7, a capability and two bits of the largest packet 3, 19 zeros a run as padding
        // has: 24.
        side.add(evidence, kAnswer, 3, 1, 7);
        side.add(evidence, kAnswer, 13, 19, 24);
        evidence.set_initiator(side.direction());
        return 13;
    }

    static std::size_t add_refusal(Evidence& evidence,
                                   const StreamSide& side,
                                   std::size_t length) noexcept {
        ByteReader reader = side.at(5);
        const std::uint16_t error = reader.le16();
        const Bytes text = reader.bytes(8);
        if (!reader.ok() || error < 1000 || error > 4000 || length > 600 || !all_printable(text)) {
            return 0;
        }
        // Sequence and mark 14, 3000 codes of 65536: 4, eight printable octets 10.
        side.add(evidence, kRefusal, 3, 2, 14);
        side.add(evidence, kRefusal, 6, 9, 14);
        evidence.set_initiator(opposite(side.direction()));
        return 7;
    }

    static std::size_t add_query(Evidence& evidence, const StreamSide& side) noexcept {
        constexpr std::array<std::string_view, 13> kWords{"SELECT",
                                                          "SHOW",
                                                          "SET",
                                                          "INSERT",
                                                          "UPDATE",
                                                          "DELETE",
                                                          "BEGIN",
                                                          "COMMIT",
                                                          "ROLLBACK",
                                                          "CREATE",
                                                          "START",
                                                          "REPLACE",
                                                          "CALL"};
        const std::size_t word = word_at(side.stream(), 5, kWords);
        if (word == 0) {
            return 0;
        }
        side.add(evidence, kQuery, 3, 2 + word, 12 + word_bits(word, kWords));
        evidence.set_initiator(side.direction());
        return word;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::mysql
