// Cisco's Skinny client control protocol, TCP, little-endian.
//
//  0 length 4 of what is behind octet 8 | 4 version of the header 4: 0, or 0A..16 | 8 message 4
//  0000 keep-alive, 0001 register, 0002 port; 0100 its answer, 0081 registered; at most 0159
//
// Sources: asterisk chan_skinny.c (message numbers and header); Cisco Unified Communications
// Manager documentation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::skinny {

inline constexpr Rule kHeader{
    "skinny.header",
    "a length that leads to a segment end, a version and a message in use; chan_skinny.c"};
inline constexpr Rule kChain{"skinny.chain",
                             "another header where the length leads; chan_skinny.c"};

inline constexpr std::array<std::uint16_t, 1> kPorts{2000};
inline constexpr std::array<const Rule*, 2> kRules{&kHeader, &kChain};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "skinny",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Skinny client control (SCCP)",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources =
                                          "asterisk chan_skinny.c (message numbers and header); "
                                          "Cisco Unified Communications Manager documentation"};
    static constexpr Prefilter prefilter{.ip_protos = {kTcp},
                                         .least_length = 12,
                                         .most_length = 1500,
                                         .octets = {{{3, ByteSet::of({0})}}}};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static bool is_header(const StreamSide& side, std::size_t offset) noexcept {
        ByteReader reader = side.at(offset);
        const std::uint32_t length = reader.le32();
        const std::uint32_t version = reader.le32();
        const std::uint32_t message = reader.le32();
        return reader.ok() && length >= 4 && length <= 2000 &&
               (version == 0 || (version >= 0x0a && version <= 0x16)) && message <= 0x0159 &&
               (length > 4 || message == 0 || message == 0x0100 || message < 0x0160);
    }

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        constexpr std::size_t kMostMessages = 3;
        std::size_t offset = 0;
        for (std::size_t count = 0; count < kMostMessages && side.size() >= offset + 12; ++count) {
            const std::size_t end = offset + 8 + side.at(offset).le32();
            if (!is_header(side, offset) || !(side.is_end(end) || is_header(side, end))) {
                return count > 0;
            }
            // Numbers of little size and zeros, as in many protocols: the length 10, with its end;
            // the version 6 of 28, the message 5 of 23.
            side.add(evidence, count == 0 ? kHeader : kChain, offset, 8, count == 0 ? 16 : 10);
            side.add(evidence, count == 0 ? kHeader : kChain, offset + 9, 3, count == 0 ? 5 : 3);
            offset = end;
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::skinny
