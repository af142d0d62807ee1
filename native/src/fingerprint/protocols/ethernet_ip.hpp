// EtherNet/IP encapsulation of CIP (ODVA, volume 2 §2-3), TCP, little-endian.
//
//  0 command 2: 01, 04, 63, 64 list; 65, 66 register; 6F, 70 send | 2 length 2 | 4 session 4 | 8
//  status 4 12 context 8 | 20 options 0 4
//
// Sources: ODVA, The CIP Networks Library volume 2 §2-3.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::ethernet_ip {

inline constexpr Rule kHeader{"ethernet-ip.header",
                              "a command, a length that leads to a segment end, a status in use, "
                              "options 0; CIP volume 2 §2-3.2"};
inline constexpr Rule kEcho{"ethernet-ip.context",
                            "the answer repeats command and context; CIP volume 2 §2-3.6"};

inline constexpr std::array<std::uint16_t, 1> kPorts{44818};
inline constexpr std::array<const Rule*, 2> kRules{&kHeader, &kEcho};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ethernet-ip",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "EtherNet/IP",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "ODVA, The CIP Networks Library volume 2 §2-3.2"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::of({0x01, 0x04, 0x63, 0x64, 0x65, 0x66, 0x6f, 0x70}),
        .least_length = 24};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        const auto sides = both_sides(head);
        for (const StreamSide& side : sides) {
            if (side.size() >= 24 && !read(evidence, side)) {
                return {};
            }
        }
        if (evidence.both_directions() && sides[0].at(0).be16() == sides[1].at(0).be16() &&
            sides[0].at(12).be64() == sides[1].at(12).be64()) {
            sides[1].add(evidence, kEcho, 0, 2, 5);
            sides[1].add(evidence, kEcho, 12, 8, sides[0].at(12).be64() == 0 ? 12 : 40);
        }
        return evidence;
    }

  private:
    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        ByteReader reader = side.at(0);
        const std::uint16_t command = reader.le16();
        const std::size_t length = reader.le16();
        reader.skip(4);
        const std::uint32_t status = reader.le32();
        reader.skip(8);
        const std::uint32_t options = reader.le32();
        const bool known = command == 0x01 || command == 0x04 ||
                           (command >= 0x63 && command <= 0x66) || command == 0x6f ||
                           command == 0x70;
        const bool ends = side.is_end(24 + length);
        if (!known || status > 0x6a || options != 0 || !ends) {
            return false;
        }
        // Numbers of little size and zeros, as in many protocols: the command 6 of 13, a length
        // that leads on 8, status 5 of 25, options 6 of 32.
        side.add(evidence, kHeader, 0, 4, 14);
        side.add(evidence, kHeader, 8, 4, 5);
        side.add(evidence, kHeader, 20, 4, 6);
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ethernet_ip
