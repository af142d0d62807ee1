// Nebula (UDP, usually port 4242). All integers big-endian.
//
//  0                1          2            4               8            16
// | version | type | subtype  | reserved 0 | remote index  | counter    | payload
//   version 1; type 0 handshake, 1 message, 2 receive error, 3 lighthouse, 4 test, 5 close, 6
//   control; subtype 0, or 1 of a relayed message and of a test's answer
//   first handshake message: index 0, counter 1; its answer: the asker's index, counter 2
//
// The index is drawn at random by the side that receives it; the counter of a tunnel rises by one a
// packet. Data is sealed from octet 16 on, with a tag of 16 octets. A hole is punched with one
// octet. uTP's FIN (BEP 29) begins 11 00 too: its next words are clocks, not a constant index.
// Sources: nebula header/header.go, handshake_ix.go, udp/punchy; bytes of nebula 1.6.1 and 1.9.3.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/reading.hpp"
#include "fingerprint/sealed.hpp"

namespace flowclass::fingerprint::nebula {

inline constexpr Rule kAsk{"nebula.handshake",
                           "version 1, type 0, index 0 and counter 1, a random key behind them; "
                           "nebula handshake_ix.go"};
inline constexpr Rule kAnswer{"nebula.handshake_answer",
                              "version 1, type 0, an index and counter 2, a random key behind "
                              "them; nebula handshake_ix.go"};
inline constexpr Rule kMessage{"nebula.message",
                               "version 1, a type and subtype that go together, reserved zeros, a "
                               "counter below 2^40, sealed behind octet 16; nebula "
                               "header/header.go"};
inline constexpr Rule kIndex{
    "nebula.index", "the remote index of the direction's packet before; nebula header/header.go"};
inline constexpr Rule kCounter{"nebula.counter",
                               "the counter is at most 256 higher than in the packet before: its "
                               "high octets stay; nebula header/header.go"};
inline constexpr Rule kPort{"nebula.port", "port 4242 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{4242};
inline constexpr std::array<const Rule*, 6> kRules{
    &kAsk, &kAnswer, &kMessage, &kIndex, &kCounter, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "nebula",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Nebula",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "nebula header/header.go, handshake_ix.go"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::range(0x10, 0x16), .least_length = 16};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<Side, 2> sides{};
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            if (payload.length <= 1) {
                continue;  // a hole is punched
            }
            const Reading reading = read(evidence, head, payload, sides);
            if (reading == Reading::contradicts) {
                return {};
            }
        }
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    struct Header {
        std::uint8_t type = 0;
        std::uint8_t subtype = 0;
        std::uint32_t index = 0;
        std::uint64_t counter = 0;
    };
    struct Side {
        Header last;
        bool there = false;
        std::size_t asked = 0;
        std::size_t answered = 0;
    };
    static constexpr std::size_t kHeaderLength = 16;
    static constexpr std::uint64_t kMostStep = 256;

    static Reading read(Evidence& evidence,
                        const FlowHead& head,
                        const Payload& payload,
                        std::array<Side, 2>& sides) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t first = reader.u8();
        Header now{.type = static_cast<std::uint8_t>(first & 0x0fU), .subtype = reader.u8()};
        const std::uint16_t reserved = reader.be16();
        now.index = reader.be32();
        now.counter = reader.be64();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if (first >> 4U != 1 || reserved != 0 || !is_kind(now)) {
            return Reading::contradicts;
        }
        if (is_plain(part(payload.bytes, kHeaderLength, 32)) ||
            is_plain(part(payload.bytes, kHeaderLength, payload.length))) {
            return Reading::contradicts;
        }
        Side& from = sides[index_of(payload.direction)];
        if (now.type == 0) {
            return read_handshake(evidence, head, payload, now, from);
        }
        return now.type == 2 ? read_error(payload, now)
                             : read_message(evidence, head, payload, now, from);
    }

    static bool is_kind(const Header& now) noexcept {
        const bool two = now.type == 1 || now.type == 4 || now.type == 0;
        return now.type <= 6 && now.subtype <= (two ? 1U : 0U);
    }

    // An ephemeral key, a static one and a certificate or a tag: 96 octets at least.
    static Reading read_handshake(Evidence& evidence,
                                  const FlowHead& head,
                                  const Payload& payload,
                                  const Header& now,
                                  Side& from) noexcept {
        constexpr std::uint32_t kLeastHandshake = 96;
        const bool asks = now.index == 0 && now.counter == 1;
        const bool answers = now.index != 0 && now.counter == 2;
        if (payload.length < kLeastHandshake || (!asks && !answers)) {
            return Reading::contradicts;
        }
        if (payload.bytes.size() < kHeaderLength + kLeastSealed) {
            return Reading::cut;
        }
        // The first octet 8 and the counter's last 5; zeros are cheap: 2 each, 14 or 10 of them.
        if (asks && from.asked++ == 0) {
            evidence.add(kAsk, head, payload.entry, 0, kHeaderLength, 41);
        }
        if (answers && from.answered++ == 0) {
            evidence.add(kAnswer, head, payload.entry, 8, 8, 19);
            evidence.add(kMessage, head, payload.entry, 0, 4, 14);
            from.last = now;
            from.there = true;
        }
        evidence.set_initiator(asks ? payload.direction : opposite(payload.direction));
        return Reading::fits;
    }

    // "I know no such index": a header alone.
    static Reading read_error(const Payload& payload, const Header& now) noexcept {
        return payload.length == kHeaderLength && now.index != 0 ? Reading::fits
                                                                 : Reading::contradicts;
    }

    static Reading read_message(Evidence& evidence,
                                const FlowHead& head,
                                const Payload& payload,
                                const Header& now,
                                Side& from) noexcept {
        if (payload.length < kHeaderLength + 16 || now.index == 0 || now.counter == 0 ||
            now.counter >> 40U != 0) {
            return Reading::contradicts;
        }
        if (payload.bytes.size() < kHeaderLength + kLeastSealed) {
            return Reading::cut;
        }
        if (!from.there) {
            // The first octet is one of seven; zeros are cheap.
            evidence.add(kMessage, head, payload.entry, 0, 4, 14);
        } else if (now.index != from.last.index) {
            // A new tunnel begins with a handshake; without one this is something else.
            return from.asked + from.answered > 0 ? Reading::fits : Reading::contradicts;
        } else if (now.counter > from.last.counter &&
                   now.counter - from.last.counter <= kMostStep) {
            // 32 bits of a constant and 56 of a counter; other protocols have both.
            evidence.add(kIndex, head, payload.entry, 4, 4, 5);
            evidence.add(kCounter, head, payload.entry, 8, 6, 5);
        } else if (now.counter > from.last.counter || from.last.counter - now.counter > kMostStep) {
            return Reading::contradicts;
        }
        from.last.index = now.index;
        from.last.counter = std::max(now.counter, from.there ? from.last.counter : 0);
        from.there = true;
        return Reading::fits;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::nebula
