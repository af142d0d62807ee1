// Modbus over TCP (Modbus Messaging on TCP/IP Implementation Guide §3.1).
//
//  0 transaction 2 | 2 protocol 0 2 | 4 length 2 of what follows | 6 unit 1 | 7 function 1 | data
//  An answer repeats transaction, unit and function; bit 7 of the function marks a refusal, one
//  octet.
//
// Sources: Modbus Messaging on TCP/IP Implementation Guide V1.0b §3.1.3; Modbus Application
// Protocol V1.1b3 §5, §6.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::modbus {

inline constexpr Rule kHeader{
    "modbus.header",
    "protocol 0 and a length that leads to a segment end; Messaging on TCP/IP §3.1.3"};
inline constexpr Rule kFunction{
    "modbus.function", "a function in use with a length that it allows; Application Protocol §6"};
inline constexpr Rule kEcho{
    "modbus.echo", "the answer repeats transaction, unit and function; Messaging on TCP/IP §3.1.3"};

inline constexpr std::array<std::uint16_t, 1> kPorts{502};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kFunction, &kEcho};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "modbus",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Modbus over TCP",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources =
                                          "Modbus Messaging on TCP/IP Implementation Guide V1.0b "
                                          "§3.1.3; Modbus Application Protocol V1.1b3 §5, §6"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .least_length = 9, .most_length = 260};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<Frame, 2> seen;
        for (const StreamSide& side : both_sides(head)) {
            Frame& frame = seen[index_of(side.direction())];
            frame = read(side);
            if (!frame.ok) {
                if (side.size() >= 8) {
                    return {};
                }
                continue;
            }
            // Zeros at half 8; the length's high octet 6 and the end it leads to 5; functions 4.
            side.add(evidence, kHeader, 2, 4, 19);
            side.add(evidence, kFunction, 7, 1, 4);
        }
        if (!seen[0].ok || !seen[1].ok) {
            return evidence;
        }
        if (seen[0].unit != seen[1].unit || seen[0].function != seen[1].function) {
            return {};
        }
        if (seen[0].transaction == seen[1].transaction) {
            // A counter 12, a unit of small value 3, a function of few 4.
            add_at(evidence, kEcho, head, {Direction::reverse, 0, 0}, 0, 2, 12);
            add_at(evidence, kEcho, head, {Direction::reverse, 0, 0}, 6, 2, 7);
        }
        return evidence;
    }

  private:
    struct Frame {
        std::uint16_t transaction = 0;
        std::uint8_t unit = 0;
        std::uint8_t function = 0;
        bool ok = false;
    };

    static Frame read(const StreamSide& side) noexcept {
        Frame frame;
        ByteReader reader = side.at(0);
        frame.transaction = reader.be16();
        const std::uint16_t protocol = reader.be16();
        // Most flows end here.
        if (protocol != 0) {
            return frame;
        }
        const std::uint16_t length = reader.be16();
        frame.unit = reader.u8();
        const std::uint8_t function = reader.u8();
        frame.function = function & 0x7fU;
        const bool refusal = (function & 0x80U) != 0;
        frame.ok = reader.ok() && length >= 3 && length <= 254 && is_function(frame.function) &&
                   (!refusal || length == 3) && side.is_end(6 + std::size_t{length});
        return frame;
    }

    static bool is_function(std::uint8_t function) noexcept {
        return (function >= 1 && function <= 8) || function == 11 || function == 12 ||
               (function >= 15 && function <= 17) || (function >= 20 && function <= 24) ||
               function == 43 || function == 90;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::modbus
