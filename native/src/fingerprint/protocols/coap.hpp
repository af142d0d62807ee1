// CoAP (RFC 7252 §3).
//
// 0 version 1 (2 bits), kind (2: asks for an acknowledgement, does not, acknowledgement, reset),
// token length 0..8 (4) 1 code: class (3), detail (5) | 2 message id 2 | 4 token | options: delta
// (4), length (4), extended, value | ff, payload
//
// Sources: RFC 7252, RFC 7641, RFC 7959.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::coap {

inline constexpr Rule kHeader{
    "coap.header",
    "version 1, a token of at most 8 octets, a code that goes with the kind; RFC 7252 §3, §12.1"};
inline constexpr Rule kOptions{
    "coap.options",
    "registered options in order, up to the payload or the end; RFC 7252 §3.1, §12.2"};
inline constexpr Rule kText{"coap.path", "an option of text: host, path or query; RFC 7252 §5.10"};
inline constexpr Rule kEmpty{"coap.empty", "an empty message is of four octets; RFC 7252 §4.1"};
inline constexpr Rule kId{"coap.message_id_echo",
                          "the acknowledgement has the message id; RFC 7252 §4.2"};
inline constexpr Rule kToken{"coap.token_echo",
                             "the answer has the token of the request; RFC 7252 §5.3.1"};
inline constexpr Rule kPort{"coap.port", "UDP port 5683 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{5683};
inline constexpr std::array<const Rule*, 7> kRules{
    &kHeader, &kOptions, &kText, &kEmpty, &kId, &kToken, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "coap",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Constrained Application Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 7252, RFC 7641, RFC 7959"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::range(0x40, 0x48) | ByteSet::range(0x50, 0x58) |
                       ByteSet::range(0x60, 0x68) | ByteSet::of({0x70}),
        .least_length = 4,
        .most_length = 1500};

    static Evidence match(const FlowHead& head) noexcept {
        LastSaid<std::uint16_t> ids;
        LastSaid<std::uint64_t> tokens;
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                const Message message = read(payload);
                if (message.reading != Reading::fits) {
                    return message.reading;
                }
                if (first) {
                    add_form(evidence, head, payload, message);
                }
                if (message.kind >= 2 && ids.answers(payload, message.id)) {
                    evidence.add(kId, head, payload.entry, 2, 2, 16);
                }
                if (message.code >= 64 && message.token_length > 0 &&
                    tokens.answers(payload, message.token)) {
                    evidence.add(kToken,
                                 head,
                                 payload.entry,
                                 4,
                                 message.token_length,
                                 4.0 + 4.0 * static_cast<double>(message.token_length));
                }
                if (message.kind < 2) {
                    ids.say(payload, message.id);
                }
                if (message.code > 0 && message.code < 32) {
                    tokens.say(payload, message.token);
                    evidence.set_initiator(payload.direction);
                } else if (message.code >= 64) {
                    evidence.set_initiator(opposite(payload.direction));
                }
                return Reading::fits;
            });
    }

  private:
    struct Message {
        Reading reading = Reading::contradicts;
        unsigned kind = 0;
        std::uint8_t code = 0;
        std::uint16_t id = 0;
        std::uint64_t token = 0;
        std::size_t token_length = 0;
        std::size_t options = 0;
        std::size_t text_at = 0;  // the first option of text
        std::size_t text_length = 0;
        std::size_t end = 0;  // of the options that were kept
        bool to_the_end = false;
    };

    static constexpr bool is_code(unsigned kind, std::uint8_t code) noexcept {
        const unsigned group = code >> 5U;
        const unsigned detail = code & 0x1fU;
        if (code == 0) {
            return kind != 1;
        }
        if (group == 0) {
            return detail <= 7 && kind <= 1;
        }
        return kind != 3 && ((group == 2 && (detail <= 5 || detail == 31)) ||
                             (group == 4 && (detail <= 15 || detail == 22 || detail == 29)) ||
                             (group == 5 && detail <= 8));
    }

    // RFC 7252 §12.2, RFC 7641 (6), RFC 7959 (23, 27, 28), RFC 8613 (9), RFC 7967 (258), RFC 9175
    // (252, 292).
    static constexpr bool is_option(std::uint32_t number) noexcept {
        switch (number) {
            case 1:
            case 3:
            case 4:
            case 5:
            case 6:
            case 7:
            case 8:
            case 9:
            case 11:
            case 12:
            case 14:
            case 15:
            case 16:
            case 17:
            case 19:
            case 20:
            case 23:
            case 27:
            case 28:
            case 31:
            case 35:
            case 39:
            case 60:
            case 252:
            case 258:
            case 292:
                return true;
            default:
                return number >= 2048;
        }
    }

    static std::uint32_t extended(ByteReader& reader, std::uint32_t value) noexcept {
        return value == 13 ? 13U + reader.u8() : value == 14 ? 269U + reader.be16() : value;
    }

    static Message read(const Payload& payload) noexcept {
        Message message;
        ByteReader reader(payload.bytes);
        const std::uint8_t first = reader.u8();
        message.kind = first >> 4U & 3U;
        message.token_length = first & 15U;
        message.code = reader.u8();
        message.id = reader.be16();
        if (!reader.ok()) {
            message.reading = ran_out(payload);
            return message;
        }
        if (first >> 6U != 1 || message.token_length > 8 || !is_code(message.kind, message.code) ||
            (message.code == 0 && payload.length != 4)) {
            return message;
        }
        for (std::size_t octet = 0; octet < message.token_length; ++octet) {
            message.token = message.token << 8U | reader.u8();
        }
        message.reading = reader.ok() ? read_options(payload, reader, message) : ran_out(payload);
        return message;
    }

    static Reading read_options(const Payload& payload,
                                ByteReader& reader,
                                Message& message) noexcept {
        std::uint32_t number = 0;
        message.end = reader.position();
        while (reader.remaining() > 0) {
            const std::uint8_t head = reader.u8();
            if (head == 0xff) {
                message.to_the_end = true;
                return payload.length > message.end + 1 ? Reading::fits : Reading::contradicts;
            }
            if (head >> 4U == 15 || (head & 15U) == 15) {
                return Reading::contradicts;
            }
            number += extended(reader, head >> 4U);
            const std::uint32_t length = extended(reader, head & 15U);
            if (!reader.ok()) {
                break;
            }
            const std::size_t value_at = reader.position();
            if (!is_option(number) || length > kMostValue || value_at + length > payload.length) {
                return Reading::contradicts;
            }
            const Bytes value = reader.bytes(length);
            const bool text = number == 3 || number == 8 || number == 11 || number == 15;
            if (text && !std::all_of(value.begin(), value.end(), [](std::uint8_t octet) {
                    return is_printable(octet);
                })) {
                return Reading::contradicts;
            }
            if (text && value.size() > message.text_length) {
                message.text_at = value_at;
                message.text_length = value.size();
            }
            if (reader.ok()) {
                ++message.options;
                message.end = value_at + length;
            }
        }
        message.to_the_end = message.end == payload.length;
        return message.to_the_end || payload.bytes.size() < payload.length ? Reading::fits
                                                                           : Reading::contradicts;
    }

    static void add_form(Evidence& evidence,
                         const FlowHead& head,
                         const Payload& payload,
                         const Message& message) noexcept {
        // Version, token length, and a code of 40: 6.
        evidence.add(kHeader, head, payload.entry, 0, 2, 6);
        if (message.code == 0) {
            evidence.add(kEmpty, head, payload.entry, 1, 1, 8);
            return;
        }
        if (message.options > 0) {
            // One of 25 options and a small length: 3 each; the end 4.
            const double chain =
                3.0 * static_cast<double>(std::min<std::size_t>(message.options, 4)) +
                (message.to_the_end ? 4.0 : 0.0);
            evidence.add(kOptions, head, payload.entry, 4 + message.token_length, 1, chain);
        }
        if (message.text_length > 1) {
            // Printable: 1.4 an octet.
            evidence.add(kText,
                         head,
                         payload.entry,
                         message.text_at,
                         message.text_length,
                         1.4 * static_cast<double>(std::min<std::size_t>(message.text_length, 16)));
        }
    }

    static constexpr std::uint32_t kMostValue = 1034;  // of the longest option, Proxy-Uri
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::coap
