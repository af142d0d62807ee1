// Diameter (RFC 6733 §3) over TCP.
//
//  0 version 1 | 1 length 3, with itself, of whole words | 4 flags: request 80, proxiable 40, error
//  20, again 10 | 5 command 3 | 8 application 4 | 12 hop by hop 4 | 16 end to end 4 | 20 first
//  attribute: code 4, flags 1, length 3
//
// Sources: RFC 6733 §3, §4.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::diameter {

inline constexpr Rule kHeader{"diameter.header",
                              "version 1, a length of whole words, flags in use; RFC 6733 §3"};
inline constexpr Rule kAttribute{
    "diameter.attribute", "a first attribute of its message with flags in use; RFC 6733 §4.1"};
inline constexpr Rule kLength{
    "diameter.length", "the length leads to the end of a segment, or to version 1; RFC 6733 §3"};
inline constexpr Rule kEcho{"diameter.echo",
                            "the answer repeats command and both identifiers; RFC 6733 §3"};

inline constexpr std::array<std::uint16_t, 1> kPorts{3868};
inline constexpr std::array<const Rule*, 4> kRules{&kHeader, &kAttribute, &kLength, &kEcho};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "diameter",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Diameter",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 6733 §3, §4.1"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0x01}), .least_length = 20};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<bool, 2> fits{};
        for (const StreamSide& side : both_sides(head)) {
            if (side.size() < 28) {
                continue;
            }
            if (!read(evidence, side)) {
                return {};
            }
            fits[index_of(side.direction())] = true;
        }
        if (fits[0] && fits[1]) {
            add_echo(evidence,
                     StreamSide{head, Direction::forward},
                     StreamSide{head, Direction::reverse});
        }
        return evidence;
    }

  private:
    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        ByteReader reader = side.at(0);
        const std::uint8_t version = reader.u8();
        const std::uint32_t length = reader.be24();
        const std::uint8_t flags = reader.u8();
        reader.skip(15);
        const std::uint32_t code = reader.be32();
        const std::uint8_t kind = reader.u8();
        const std::uint32_t size = reader.be24();
        if (!reader.ok() || version != 1 || length < 28 || length > 0xffff || length % 4 != 0 ||
            (flags & 0x0fU) != 0 || code == 0 || (kind & 0x1fU) != 0 || size < 8 ||
            size + 20 > length) {
            return false;
        }
        // The version 7, the high octet and two low bits 9, reserved bits 3.
        side.add(evidence, kHeader, 0, 5, 19);
        // Reserved bits 5, a length within the message 8.
        side.add(evidence, kAttribute, 24, 4, 13);
        if (side.is_end(length) || side.at(length).u8() == 1) {
            side.add(evidence, kLength, 1, 3, 8);
        }
        evidence.set_initiator((flags & 0x80U) != 0 ? side.direction()
                                                    : opposite(side.direction()));
        return true;
    }

    static void add_echo(Evidence& evidence,
                         const StreamSide& one,
                         const StreamSide& other) noexcept {
        const bool first_asks = (one.at(4).u8() & 0x80U) != 0;
        const bool second_asks = (other.at(4).u8() & 0x80U) != 0;
        const bool same =
            one.at(12).be64() == other.at(12).be64() && one.at(5).be24() == other.at(5).be24();
        if (same && first_asks != second_asks) {
            const StreamSide& answer = first_asks ? other : one;
            answer.add(evidence, kEcho, 5, 3, 12);
            answer.add(evidence, kEcho, 12, 8, 32);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::diameter
