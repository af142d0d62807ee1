// RFB (RFC 6143 §7.1): both sides begin with 12 octets, the server first.
//
//  "RFB " three digits "." three digits LF; then security types: count, types | choice
//
// Sources: RFC 6143 §7.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::vnc {

inline constexpr Rule kVersion{"vnc.version",
                               "RFB, a version in digits, a line feed; RFC 6143 §7.1.1"};
inline constexpr Rule kSecurity{"vnc.security",
                                "a list of security types of its length follows; RFC 6143 §7.1.2"};

inline constexpr std::array<std::uint16_t, 1> kPorts{5900};
inline constexpr std::array<const Rule*, 2> kRules{&kVersion, &kSecurity};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "vnc",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Remote Framebuffer (VNC)",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 6143 §7.1"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'R'}), .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        const Bytes stream = side.stream();
        const bool digits = stream.size() >= 12 && is_digit(stream[4]) && is_digit(stream[5]) &&
                            is_digit(stream[6]) && is_digit(stream[8]) && is_digit(stream[9]) &&
                            is_digit(stream[10]);
        if (!has_text(stream, "RFB ") || !digits || stream[7] != '.' || stream[11] != '\n') {
            return stream.size() < 12 || !side.from_start();
        }
        // Four letters 22, six digits 20, a dot and a line's end 12.
        side.add(evidence, kVersion, 0, 12, 54);
        const std::uint8_t count = side.at(12).u8();
        if (count > 0 && count < 16 && side.is_end(std::size_t{13} + count)) {
            side.add(evidence, kSecurity, 12, 1, 8);
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::vnc
