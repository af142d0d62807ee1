// Server queries of Valve's Source and GoldSource engines, and of other games that speak them.
//
// 0 ff ff ff ff | 4 kind | 5 ...
//   T "Source Engine Query" 0, challenge? | U, V challenge | i ping | 1 of old engines
//   A challenge 4 | I protocol, name 0, map 0, folder 0, game 0 | D players | E rules | j ping's
//   answer
//
// Sources: Valve Developer Community, Server queries.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::source_engine {

inline constexpr Rule kPrefix{
    "source-engine.prefix",
    "ff ff ff ff: a message outside a connection; Valve Developer Community, Server queries"};
inline constexpr Rule kQuery{"source-engine.info_query",
                             "T and the words Source Engine Query; Server queries, A2S_INFO"};
inline constexpr Rule kKind{"source-engine.kind",
                            "a known kind with its exact length or form; Server queries"};
inline constexpr Rule kChallenge{
    "source-engine.challenge_echo",
    "the query repeats the challenge of the server; Server queries, A2S_PLAYER"};
inline constexpr Rule kAnswer{"source-engine.answer",
                              "an answer of the kind that was asked for; Server queries"};
inline constexpr Rule kPort{"source-engine.port", "UDP port 27015 or 27016 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{27015, 27016};
inline constexpr std::array<const Rule*, 6> kRules{
    &kPrefix, &kQuery, &kKind, &kChallenge, &kAnswer, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "source-engine",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Valve server queries",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "Valve Developer Community, Server queries"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0xff}), .least_length = 5};

    static Evidence match(const FlowHead& head) noexcept {
        LastSaid<std::uint32_t> challenges;
        std::array<std::uint8_t, 2> asked{};
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint32_t prefix = reader.be32();
                const std::uint8_t kind = reader.u8();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const Form form = read(payload, kind);
                if (prefix != 0xffffffff || form.bits == 0) {
                    return Reading::contradicts;
                }
                const std::uint8_t question = asked[index_of(opposite(payload.direction))];
                if (first) {
                    // Four octets of ff are common: half.
                    evidence.add(kPrefix, head, payload.entry, 0, 4, 16);
                    evidence.add(kind == 'T' ? kQuery : kKind,
                                 head,
                                 payload.entry,
                                 4,
                                 form.checked,
                                 form.bits);
                }
                if (form.answer && question != 0 && form.asked == question) {
                    evidence.add(kAnswer, head, payload.entry, 4, 1, 8);
                    asked[index_of(opposite(payload.direction))] = 0;
                }
                const std::uint32_t challenge =
                    at(payload.bytes, payload.length >= 4 ? payload.length - 4U : 0).be32();
                if (kind == 'A') {
                    challenges.say(payload, challenge);
                } else if (!form.answer && challenges.answers(payload, challenge)) {
                    evidence.add(kChallenge, head, payload.entry, payload.length - 4U, 4, 32);
                }
                if (!form.answer) {
                    asked[index_of(payload.direction)] = kind;
                }
                evidence.set_initiator(form.answer ? opposite(payload.direction)
                                                   : payload.direction);
                return Reading::fits;
            });
    }

  private:
    struct Form {
        bool answer = false;
        std::uint8_t asked = 0;   // an answer: to which kind of question
        std::size_t checked = 1;  // octets from the kind on
        double bits = 0;          // 0: it is none
    };

    // bits: a kind of ten 5, exact length 6, the words of the query as words.
    static Form read(const Payload& payload, std::uint8_t kind) noexcept {
        constexpr std::string_view kWords = "TSource Engine Query";
        const std::uint32_t length = payload.length;
        switch (kind) {
            case 'T': {
                const bool whole =
                    has_text(payload.bytes, kWords, 4) && at(payload.bytes, 24).u8() == 0;
                return {false,
                        0,
                        kWords.size(),
                        whole && (length == 25 || length == 29) ? word_bits(kWords) : 0.0};
            }
            case 'U':
            case 'V':
                return {false, 0, 1, length == 9 ? 11.0 : 0.0};
            case 'i':
                return {false, 0, 1, length == 5 ? 11.0 : 0.0};
            case 'A':
                return {true, 'U', 1, length == 9 ? 11.0 : 0.0};
            case 'I':
                return {true, 'T', 1, is_name(payload) ? 8.0 : 0.0};
            case 'D':
                return {true, 'U', 1, length >= 6 ? 5.0 : 0.0};
            case 'E':
                return {true, 'V', 1, length >= 7 ? 5.0 : 0.0};
            case 'j':
                return {true, 'i', 1, has_text(payload.bytes, "00000000000000", 5) ? 11.0 : 0.0};
            default:
                return {};
        }
    }

    // A protocol number, then text: the server's name.
    static bool is_name(const Payload& payload) noexcept {
        const Bytes name = at(payload.bytes, 6).bytes(4);
        return payload.length >= 20 && name.size() == 4 &&
               std::all_of(
                   name.begin(), name.end(), [](std::uint8_t octet) { return octet >= 0x20; });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::source_engine
