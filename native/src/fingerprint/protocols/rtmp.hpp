// RTMP (Adobe, RTMP specification 1.0 §5.2), TCP: a handshake of one octet and 1536, both ways.
//
//  0 version 3 | 1 time 4 | 5 zero, or the version of the program 4 | 9 random 1528 | next part
//
// Sources: Adobe RTMP specification 1.0 §5.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::rtmp {

inline constexpr Rule kVersion{
    "rtmp.version", "version 3, then zeros or a version of small numbers; RTMP §5.2.2, §5.2.3"};
inline constexpr Rule kLength{
    "rtmp.length",
    "1537 octets lead to a segment end, or so does the next part of 1536; RTMP §5.2.1"};

inline constexpr std::array<std::uint16_t, 1> kPorts{1935};
inline constexpr std::array<const Rule*, 2> kRules{&kVersion, &kLength};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "rtmp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Real-Time Messaging Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "Adobe RTMP specification 1.0 §5.2"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0x03}), .least_length = 9};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static constexpr std::size_t kHello = 1537;

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        ByteReader reader = side.at(0);
        const std::uint8_t version = reader.u8();
        reader.skip(4);
        const std::uint32_t program = reader.be32();
        if (!reader.ok()) {
            return true;
        }
        // Programs: 9.0.124.2, 4.5.0.297 and the like.
        const std::uint32_t major = program >> 24U;
        const bool known =
            program == 0 || (major >= 1 && major <= 32 && (program >> 16U & 0xffU) <= 9);
        if (version != 3 || !known || !side.from_start()) {
            return false;
        }
        const bool ends = side.is_end(kHello) || side.is_end(kHello + 1536);
        if (!ends) {
            return false;
        }
        // The version 7; four zeros at half 16, a program's version 7.
        side.add(evidence, kVersion, 0, 1, 7);
        side.add(evidence, kVersion, 5, program == 0 ? 4 : 2, program == 0 ? 16 : 7);
        // Shown with the first octet: no octet of its own.
        side.add(evidence, kLength, 0, 0, 10);
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::rtmp
