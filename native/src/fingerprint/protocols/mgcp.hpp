// MGCP: lines of text.
//
// Command: VERB SP transaction SP endpoint SP MGCP 1.0 | Answer: 3 digits SP transaction ...
//
// Sources: RFC 3435.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::mgcp {

inline constexpr Rule kVerb{"mgcp.verb",
                            "a verb of four letters and a transaction number; RFC 3435 §3.2.1"};
inline constexpr Rule kVersion{"mgcp.version",
                               "MGCP and a version end the line; RFC 3435 §3.2.1.4"};
inline constexpr Rule kAnswer{
    "mgcp.answer", "a code and the number of the transaction that was asked for; RFC 3435 §3.3"};
inline constexpr Rule kPort{"mgcp.port", "UDP port 2427 or 2727 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{2427, 2727};
inline constexpr std::array<const Rule*, 4> kRules{&kVerb, &kVersion, &kAnswer, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "mgcp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Media Gateway Control Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 3435"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::range('A', 'R') | ByteSet::range('0', '8'),
        .least_length = 6};

    static Evidence match(const FlowHead& head) noexcept {
        LastSaid<std::uint32_t> transactions;
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                constexpr std::array<std::string_view, 10> kVerbs{"EPCF ",
                                                                  "CRCX ",
                                                                  "MDCX ",
                                                                  "DLCX ",
                                                                  "RQNT ",
                                                                  "NTFY ",
                                                                  "AUEP ",
                                                                  "AUCX ",
                                                                  "RSIP ",
                                                                  "MESG "};
                const std::string_view verb = word_at(payload.bytes, kVerbs);
                const bool answer = verb.empty() && payload.bytes.size() >= 5 &&
                                    is_digit(payload.bytes[0]) && is_digit(payload.bytes[1]) &&
                                    is_digit(payload.bytes[2]) && payload.bytes[3] == ' ';
                if (verb.empty() && !answer) {
                    return payload.bytes.size() < 5 ? ran_out(payload) : Reading::contradicts;
                }
                const std::size_t from = answer ? 4 : verb.size();
                const Number number = read_number(payload.bytes, from);
                if (number.length == 0) {
                    return ran_out(payload);
                }
                if (answer) {
                    if (transactions.answers(payload, number.value)) {
                        // Three digits and a space: 16, of 32; the number of up to nine digits: 3
                        // each.
                        evidence.add(kAnswer,
                                     head,
                                     payload.entry,
                                     0,
                                     from + number.length,
                                     16.0 + 3.0 * static_cast<double>(number.length));
                        evidence.set_initiator(opposite(payload.direction));
                    }
                    return Reading::fits;
                }
                const std::size_t version = find_text(payload.bytes, " MGCP ");
                evidence.add(kVerb, head, payload.entry, 0, from + 1, first ? 24 : 2);
                if (first && version < payload.bytes.size()) {
                    evidence.add(kVersion, head, payload.entry, version, 6, 24);
                }
                transactions.say(payload, number.value);
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            });
    }

  private:
    struct Number {
        std::uint32_t value = 0;
        std::size_t length = 0;
    };
    static Number read_number(Bytes bytes, std::size_t from) noexcept {
        constexpr std::size_t kMostDigits = 9;
        Number number;
        ByteReader reader = at(bytes, from);
        for (std::uint8_t octet = reader.u8();
             reader.ok() && is_digit(octet) && number.length < kMostDigits;
             octet = reader.u8()) {
            number.value = number.value * 10 + octet - '0';
            ++number.length;
        }
        return number;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::mgcp
