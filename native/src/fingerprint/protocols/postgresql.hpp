// The frontend/backend protocol 3.0 of PostgreSQL (documentation, chapter 55.7), TCP.
//
//  first, client: length 4 | code 4: 3.0 (196608) and pairs of words, 80877103 SSL, 80877104
//  GSSAPI,
//                 80877102 cancel
//  then:          type 1 | length 4, with itself | ...
//  to SSL or GSSAPI the server answers with one octet, S, G or N; TLS may follow
//  'R' authentication: length 4 | kind 4 | 'E' error: 'S' "ERROR" 00 | 'Z' ready: length 5, I, T or
//  E 'Q' query: text, 00 | 'P' parse | 'S' parameter: word 00 value 00 | 'K' key: length 12
//
// Sources: PostgreSQL documentation, chapter Frontend/Backend Protocol, sections Message Flow and
// Message Formats.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text_line.hpp"

namespace flowclass::fingerprint::postgresql {

inline constexpr Rule kStartup{
    "postgresql.startup", "a length of its message and protocol 3.0, then a word; StartupMessage"};
inline constexpr Rule kUser{"postgresql.startup_word",
                            "the first parameter has a name in letters; StartupMessage"};
inline constexpr Rule kRequest{
    "postgresql.request",
    "length 8 or 16 and a code for SSL, GSSAPI or cancel; SSLRequest, CancelRequest"};
inline constexpr Rule kChoice{"postgresql.choice",
                              "one octet, S, G or N, as an answer to such a request; SSLRequest"};
inline constexpr Rule kMessage{"postgresql.message",
                               "a type and a length that fits it; Message Formats"};
inline constexpr Rule kChain{"postgresql.chain",
                             "the length leads to the type of another message; Message Formats"};
inline constexpr Rule kContents{
    "postgresql.contents",
    "what the type must hold: a kind of authentication, a state, SQL, a name; Message Formats"};

inline constexpr std::array<std::uint16_t, 1> kPorts{5432};
inline constexpr std::array<const Rule*, 7> kRules{
    &kStartup, &kUser, &kRequest, &kChoice, &kMessage, &kChain, &kContents};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "postgresql",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "PostgreSQL",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources =
                                          "PostgreSQL documentation, chapter Frontend/Backend "
                                          "Protocol, sections Message Flow and Message Formats"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::of(
            {0x00, 'Q', 'R', 'E', 'N', 'S', 'Z', 'D', 'C', '1', '2', 'T', 'P', 'p', 'X', 'B'}),
        .least_length = 1};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<bool, 2> asked{};
        for (const StreamSide& side : both_sides(head)) {
            asked[index_of(side.direction())] = add_first(evidence, side);
        }
        for (const StreamSide& side : both_sides(head)) {
            const bool other = asked[index_of(opposite(side.direction()))];
            if (!side.empty() && !asked[index_of(side.direction())] &&
                !add_messages(evidence, side, other)) {
                return {};
            }
        }
        return evidence;
    }

  private:
    static constexpr std::uint32_t kVersion3 = 0x00030000;

    static bool add_first(Evidence& evidence, const StreamSide& side) noexcept {
        ByteReader reader = side.at(0);
        const std::uint32_t length = reader.be32();
        const std::uint32_t code = reader.be32();
        if (!reader.ok()) {
            return false;
        }
        if ((length == 8 && (code == 80877103 || code == 80877104)) ||
            (length == 16 && code == 80877102)) {
            // A length of small value 16, a code 30.
            side.add(evidence, kRequest, 0, 8, 46);
            evidence.set_initiator(side.direction());
            return true;
        }
        if (code != kVersion3 || length < 10 || length > 10000) {
            return false;
        }
        // Half a length, and a code of two zeros and two small numbers.
        side.add(evidence, kStartup, 0, 8, side.is_end(length) ? 34 : 26);
        for (const std::string_view word : {std::string_view{"user\0", 5},
                                            std::string_view{"database\0", 9},
                                            std::string_view{"client_encoding\0", 16},
                                            std::string_view{"replication\0", 12}}) {
            if (has_text(side.stream(), word, 8)) {
                side.add(evidence,
                         kUser,
                         8,
                         word.size(),
                         kLetterBits * static_cast<double>(word.size()) - 2);
            }
        }
        evidence.set_initiator(side.direction());
        return true;
    }

    // Least lengths, 0 where the type is none. The server's and the client's letters overlap.
    static std::uint32_t least_length(std::uint8_t type) noexcept {
        constexpr std::string_view kOfFive = "ZENSDTGWCQABPpdfF";
        constexpr std::string_view kOfFour = "123nIHXcs";
        const auto letter = static_cast<char>(type);
        if (kOfFive.find(letter) != std::string_view::npos) {
            return 5;
        }
        if (kOfFour.find(letter) != std::string_view::npos) {
            return 4;
        }
        return type == 'R' ? 8 : type == 'K' ? 12 : type == 't' ? 6 : 0;
    }

    struct Contents {
        std::size_t length = 0;  // of what was compared; 0 when nothing fits
        double bits = 0;
    };

    static Contents word_of(Bytes body,
                            std::size_t offset,
                            std::span<const std::string_view> words) noexcept {
        const std::size_t length = word_at(body, offset, words);
        return length == 0 ? Contents{} : Contents{offset + length, word_bits(length, words)};
    }

    static Contents contents(const StreamSide& side,
                             std::size_t offset,
                             std::uint8_t type) noexcept {
        constexpr std::array<std::string_view, 11> kSql{"SELECT",
                                                        "SHOW",
                                                        "SET",
                                                        "INSERT",
                                                        "UPDATE",
                                                        "DELETE",
                                                        "BEGIN",
                                                        "COMMIT",
                                                        "ROLLBACK",
                                                        "CREATE",
                                                        "START TRANSACTION"};
        constexpr std::array<std::string_view, 4> kSeverities{
            "SERROR", "SFATAL", "SNOTICE", "SWARNING"};
        constexpr std::array<std::string_view, 4> kParameters{
            "SERVER_", "CLIENT_ENCODING", "APPLICATION_NAME", "DATESTYLE"};
        ByteReader reader = side.at(offset + 5);
        const Bytes body = reader.rest();
        if (type == 'R') {
            const std::uint32_t kind = reader.be32();
            return reader.ok() && kind <= 12 ? Contents{4, 16} : Contents{};
        }
        if (type == 'Z') {
            const std::uint8_t state = reader.u8();
            return state == 'I' || state == 'T' || state == 'E' ? Contents{1, 6} : Contents{};
        }
        if (type == 'E' || type == 'N') {
            for (const std::string_view severity : kSeverities) {
                if (has_text(body, severity)) {
                    return {severity.size(), word_bits(severity.size(), kSeverities)};
                }
            }
            return {};
        }
        if (type == 'S') {
            for (const std::string_view name : kParameters) {
                if (starts_any_case(body, name)) {
                    return {name.size(), word_bits(name.size(), kParameters)};
                }
            }
            return {};
        }
        if (type == 'Q') {
            return word_of(body, 0, kSql);
        }
        return type == 'P' && !body.empty() && body[0] == 0 ? word_of(body, 1, kSql) : Contents{};
    }

    static bool add_messages(Evidence& evidence, const StreamSide& side, bool asked) noexcept {
        const std::uint8_t choice = side.at(0).u8();
        if (asked && (choice == 'S' || choice == 'N' || choice == 'G') &&
            (side.is_end(1) || side.size() == 1)) {
            side.add(evidence, kChoice, 0, 1, 8);
            return true;
        }
        return walk(evidence, side, asked);
    }

    static bool walk(Evidence& evidence, const StreamSide& side, bool asked) noexcept {
        constexpr std::size_t kMostMessages = 6;
        std::size_t offset = 0;
        bool proven = asked;
        std::array<std::size_t, kMostMessages> begins{};
        std::array<Contents, kMostMessages> holds{};
        std::size_t count = 0;
        for (; count < kMostMessages; ++count) {
            ByteReader reader = side.at(offset);
            const std::uint8_t type = reader.u8();
            const std::uint32_t length = reader.be32();
            if (!reader.ok()) {
                break;
            }
            const std::uint32_t least = least_length(type);
            if (least == 0 || length < least || length > (1U << 24U) ||
                (least == 4 && length > 4) || (type == 'K' && length > 260)) {
                return count > 0 && !proven;
            }
            begins[count] = offset;
            holds[count] = contents(side, offset, type);
            proven = proven || holds[count].length > 0;
            offset += 1 + length;
        }
        if (!proven) {
            return true;
        }
        for (std::size_t index = 0; index < count; ++index) {
            // A letter of 30: 3, an octet of zero 5; two more zeros, mostly, and an end: 10.
            const bool leads_on = index + 1 < count || side.is_end(offset);
            side.add(evidence,
                     kMessage,
                     begins[index],
                     leads_on ? 5 : 2,
                     index > 0  ? 4
                     : leads_on ? 18
                                : 8);
            if (index < 2 && index + 1 < count) {
                side.add(evidence, kChain, begins[index + 1], 1, 6);
            }
            if (holds[index].length > 0 && index < 3) {
                side.add(
                    evidence, kContents, begins[index] + 5, holds[index].length, holds[index].bits);
            }
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::postgresql
