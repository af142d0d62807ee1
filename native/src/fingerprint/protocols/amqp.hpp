// AMQP 0-9-1 and 1.0, TCP.
//
//  first, client (1.0: both): "AMQP" | 00 00 09 01 (0-9-1), or 00, 02 (TLS), 03 (SASL) 01 00 00
//  (1.0) 0-9-1 frame: type 1..3, 8 | channel 2 | length 4 | class 2, method 2 ... | CE
//  connection.start: 01 0000 length 000A 000A 00 09
//
// Sources: AMQP 0-9-1 specification §2.2, §4.2; AMQP 1.0 (OASIS) part 2 §2.2, §2.3.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::amqp {

inline constexpr Rule kProtocol{
    "amqp.protocol", "the word AMQP and a version in use; AMQP 0-9-1 §4.2.2, AMQP 1.0 part 2 §2.2"};
inline constexpr Rule kFrame{
    "amqp.frame", "a frame whose end, CE, stands where its length leads; AMQP 0-9-1 §4.2.3"};
inline constexpr Rule kMethod{"amqp.method", "a method frame of a known class; AMQP 0-9-1 §1.4"};

inline constexpr std::array<std::uint16_t, 1> kPorts{5672};
inline constexpr std::array<const Rule*, 3> kRules{&kProtocol, &kFrame, &kMethod};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "amqp",
        .protocol_class = ProtocolClass::app,
        .title = "Advanced Message Queuing Protocol",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "AMQP 0-9-1 specification §2.2, §4.2; AMQP 1.0 (OASIS) part 2 §2.2, §2.3"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'A', 1, 2, 3, 8}), .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static bool is_class(std::uint16_t number) noexcept {
        return number == 10 || number == 20 || number == 40 || number == 50 || number == 60 ||
               number == 85 || number == 90;
    }

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        constexpr std::string_view kOld{"AMQP\0\0\x09\x01", 8};
        constexpr std::string_view kEarly{"AMQP\x01\x01", 6};
        std::size_t offset = 0;
        ByteReader reader = side.at(4);
        const std::uint8_t protocol = reader.u8();
        const bool latest = has_text(side.stream(), "AMQP") &&
                            (protocol == 0 || protocol == 2 || protocol == 3) &&
                            reader.be16() == 0x0100 && reader.u8() == 0 && reader.ok();
        if (latest || has_text(side.stream(), kOld) || has_text(side.stream(), kEarly)) {
            // Four letters 22, four octets of which few are in use: 22.
            side.add(evidence, kProtocol, 0, latest || has_text(side.stream(), kOld) ? 8 : 6, 44);
            offset = 8;
        }
        return read_frames(evidence, side, offset);
    }

    static bool read_frames(Evidence& evidence,
                            const StreamSide& side,
                            std::size_t begin) noexcept {
        constexpr std::size_t kMostFrames = 3;
        std::size_t offset = begin;
        for (std::size_t count = 0; count < kMostFrames; ++count) {
            ByteReader reader = side.at(offset);
            const std::uint8_t type = reader.u8();
            reader.skip(2);
            const std::size_t length = reader.be32();
            const std::uint16_t number = reader.be16();
            const std::uint16_t method = reader.be16();
            if (!reader.ok()) {
                return true;
            }
            const bool frame = ((type >= 1 && type <= 3) || type == 8) && length <= (1U << 24U);
            const std::size_t end = offset + 7 + length;
            const bool ended = side.at(end).u8() == 0xce;
            if (!frame || (!ended && end < side.size())) {
                // Version 1.0 has frames of its own.
                return begin > 0 || count > 0 || !side.from_start();
            }
            if (ended) {
                // The end 8 at the place the length says; the type 6, the high octet 6.
                side.add(evidence, kFrame, offset, 1, count == 0 ? 6 : 2);
                side.add(evidence, kFrame, end, 1, count == 0 ? 12 : 4);
            }
            if (type == 1 && is_class(number) && method >= 10 && method <= 120 &&
                (ended || side.is_end(end + 1))) {
                // Seven classes 13 of 16, methods 9.
                side.add(evidence, kMethod, offset + 7, 4, count == 0 ? 22 : 4);
            }
            offset = end + 1;
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::amqp
