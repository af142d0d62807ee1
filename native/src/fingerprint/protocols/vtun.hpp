// vtun (TCP, usually port 5000). The server speaks first; messages of 50 octets, text that is
// filled up with zeros:
//
//  server                               client
//  VTUN server ver <version>\n          HOST: <session>\n
//  OK CHAL: <32 letters a to p>\n       CHAL: <32 letters a to p>\n
//  OK FLAGS: <letters and digits>\n
//
// Then frames of a be16 length and flags over TCP, or UDP, of which nothing is sure: a capture that
// begins behind the messages shows nothing.
// Sources: vtun auth.c, lib.c; bytes of vtun 3.0.4.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/reading.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::vtun {

inline constexpr Rule kBanner{"vtun.banner",
                              "the server names itself and its version; vtun auth.c"};
inline constexpr Rule kHost{"vtun.host", "the client names its session; vtun auth.c"};
inline constexpr Rule kChallenge{
    "vtun.challenge", "a challenge or its answer: 16 octets as letters a to p; vtun auth.c"};
inline constexpr Rule kFlags{"vtun.flags", "the server says what the session does; vtun auth.c"};
inline constexpr Rule kFilled{"vtun.filled",
                              "the line is filled up with zeros to 50 octets; vtun lib.c"};
inline constexpr Rule kPort{"vtun.port", "port 5000 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{5000};
inline constexpr std::array<const Rule*, 6> kRules{
    &kBanner, &kHost, &kChallenge, &kFlags, &kFilled, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "vtun",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "VTun",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "vtun auth.c, lib.c"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'V', 'H', 'O', 'C'}), .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            for (std::size_t message = 0; message < 3; ++message) {
                if (!read(evidence, head, direction, message * kMessageLength)) {
                    break;
                }
            }
        }
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static constexpr std::size_t kMessageLength = 50;

    struct Beginning {
        std::string_view text;
        const Rule* rule;
        double bits;
        bool by_server;
        bool challenge;
    };
    // Five bits a letter of the words; "HOST: " is a word of other protocols too.
    static constexpr std::array<Beginning, 5> kBeginnings{
        {{"VTUN server ver ", &kBanner, 70, true, false},
         {"HOST: ", &kHost, 18, false, false},
         {"OK CHAL: <", &kChallenge, 40, true, true},
         {"CHAL: <", &kChallenge, 28, false, true},
         {"OK FLAGS: <", &kFlags, 44, true, false}}};

    static bool read(Evidence& evidence,
                     const FlowHead& head,
                     Direction direction,
                     std::size_t offset) noexcept {
        const Bytes stream = head.stream(direction);
        for (const Beginning& one : kBeginnings) {
            if (!has_text(stream, one.text, offset)) {
                continue;
            }
            if (stream.size() < offset + kMessageLength) {
                return read_cut(evidence, head, direction, offset, one);
            }
            const Bytes message = at(stream, offset).bytes(kMessageLength);
            const std::size_t line = line_length(message);
            if (line == 0 || (one.challenge && !is_challenge(message, one.text.size()))) {
                return false;
            }
            // Two bits a letter of a challenge: 16 letters of the printable.
            const double letters = one.challenge ? 40 : 0;
            evidence.add_stream(*one.rule,
                                head,
                                direction,
                                offset,
                                one.text.size() + (one.challenge ? 32 : 0),
                                one.bits + letters);
            evidence.add_stream(kFilled, head, direction, offset + line, kMessageLength - line, 12);
            evidence.set_initiator(one.by_server ? opposite(direction) : direction);
            return true;
        }
        return false;
    }

    // The banner, of which a snap length left the words and some text behind them, in a segment
    // that is as long as a message. The other words may be anybody's, and letters behind them were
    // cut.
    static bool read_cut(Evidence& evidence,
                         const FlowHead& head,
                         Direction direction,
                         std::size_t offset,
                         const Beginning& one) noexcept {
        const Bytes text = head.stream(direction).subspan(offset + one.text.size());
        if (one.rule != &kBanner || !std::all_of(text.begin(), text.end(), is_printable) ||
            !is_segment_end(head, direction, offset + kMessageLength)) {
            return false;
        }
        evidence.add_stream(*one.rule, head, direction, offset, one.text.size(), one.bits);
        evidence.set_initiator(opposite(direction));
        return true;
    }

    // A line of text and its end, with nothing but zeros behind it; 0 where it is none.
    static std::size_t line_length(Bytes message) noexcept {
        std::size_t length = 0;
        while (length < message.size() && is_printable(message[length])) {
            ++length;
        }
        if (length + 1 >= message.size() || message[length] != '\n') {
            return 0;
        }
        const Bytes rest = message.subspan(length + 1);
        const bool filled =
            std::all_of(rest.begin(), rest.end(), [](std::uint8_t octet) { return octet == 0; });
        return filled ? length + 1 : 0;
    }

    static bool is_challenge(Bytes message, std::size_t offset) noexcept {
        const Bytes letters = at(message, offset).bytes(32);
        return letters.size() == 32 && has_text(message, ">\n", offset + 32) &&
               std::all_of(letters.begin(), letters.end(), [](std::uint8_t octet) {
                   return octet >= 'a' && octet <= 'p';
               });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::vtun
