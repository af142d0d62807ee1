// syslog (RFC 5424 §6, RFC 3164 §4.1) over UDP (RFC 5426).
//
// "<" priority, 0 to 191, without leading zeros ">" | "1 " and an ISO time, or "Mmm dd hh:mm:ss",
// or any text
//
// Sources: RFC 5424, RFC 5426, RFC 3164.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"
#include "fingerprint/sealed.hpp"

namespace flowclass::fingerprint::syslog {

inline constexpr Rule kPriority{"syslog.priority",
                                "a number up to 191 in angle brackets; RFC 5424 §6.2.1"};
inline constexpr Rule kTime{
    "syslog.time",
    "version 1 and a year, or a month, day and time of day; RFC 5424 §6.2.3, RFC 3164 §4.1.2"};
inline constexpr Rule kText{"syslog.text", "the rest that was kept is text; RFC 3164 §4.1.3"};
inline constexpr Rule kPort{"syslog.port", "UDP port 514 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{514};
inline constexpr std::array<const Rule*, 4> kRules{&kPriority, &kTime, &kText, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "syslog",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "syslog over UDP",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 5424, RFC 5426, RFC 3164"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({'<'}),
                                         .least_length = 8,
                                         .octets = {{{1, ByteSet::range('0', '9')}}}};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                const std::size_t priority = priority_length(payload.bytes);
                const Bytes rest = part(payload.bytes, priority, 64);
                if (priority == 0 || rest.size() < 4) {
                    return ran_out(payload);
                }
                // The last octet may be a NUL, a line end, or half of a letter beyond ASCII.
                const Bytes text = rest.first(std::min<std::size_t>(rest.size() - 1, kText64));
                if (!is_text(text)) {
                    return Reading::contradicts;
                }
                // Two brackets and each digit: 20 to 30; fewer, for text.
                evidence.add(kPriority,
                             head,
                             payload.entry,
                             0,
                             priority,
                             first ? 14.0 + 2.0 * static_cast<double>(priority) : 2);
                if (first) {
                    add_time(evidence, head, payload, priority, rest);
                    // 1.4 bits an octet, of which half is counted.
                    evidence.add(kText,
                                 head,
                                 payload.entry,
                                 priority,
                                 text.size(),
                                 0.6 * static_cast<double>(std::min<std::size_t>(text.size(), 20)));
                }
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            });
    }

  private:
    static constexpr std::size_t kText64 = 48;

    // Of "<n>", 0 when it is none.
    static std::size_t priority_length(Bytes bytes) noexcept {
        ByteReader reader(bytes);
        unsigned value = reader.u8() == '<' ? 0 : 1000;
        for (std::size_t digit = 0; digit < 4 && value < 192; ++digit) {
            const std::uint8_t octet = reader.u8();
            if (octet == '>' && digit > 0) {
                return digit + 2;
            }
            const bool leading_zero = digit > 0 && value == 0;
            value = is_digit(octet) && !leading_zero ? value * 10 + octet - '0' : 1000;
        }
        return 0;
    }

    static void add_time(Evidence& evidence,
                         const FlowHead& head,
                         const Payload& payload,
                         std::size_t offset,
                         Bytes rest) noexcept {
        constexpr std::array<std::string_view, 12> kMonths{"Jan ",
                                                           "Feb ",
                                                           "Mar ",
                                                           "Apr ",
                                                           "May ",
                                                           "Jun ",
                                                           "Jul ",
                                                           "Aug ",
                                                           "Sep ",
                                                           "Oct ",
                                                           "Nov ",
                                                           "Dec "};
        constexpr std::size_t kClockEnd = 15;  // "Mmm dd hh:mm:ss"
        if (has_text(rest, "1 2") && rest.size() >= 7 && is_digit(rest[3]) && is_digit(rest[4]) &&
            rest[6] == '-') {
            evidence.add(kTime, head, payload.entry, offset, 7, 20);
        } else if (!word_at(rest, kMonths).empty() && rest.size() >= kClockEnd && rest[9] == ':' &&
                   rest[12] == ':' && is_digit(rest[14])) {
            // Twelve months of three letters: 13; colons 10, a digit 3.
            evidence.add(kTime, head, payload.entry, offset, 4, 14);
            evidence.add(kTime, head, payload.entry, offset + 9, 1, 5);
            evidence.add(kTime, head, payload.entry, offset + 12, 1, 5);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::syslog
