// The X protocol, version 11 (X.Org, chapter 8), TCP.
//
//  setup:  "l" or "B" (octet order) | 0 | major 11, minor 0 | name length n 2 | data length d 2 | 0
//  2 |
//          name, padded | data, padded
//  answer: 0 refused, 1 accepted, 2 more | length 1 | major 11, minor 0 | length of the rest 2 ...
//
// Sources: X Window System Protocol, version 11 (X.Org), chapter 8 and appendix B.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::x11 {

inline constexpr Rule kSetup{
    "x11.setup",
    "an octet order, version 11.0 in it, lengths that lead to the end of a segment; chapter 8"};
inline constexpr Rule kName{
    "x11.authorization",
    "the authorization is called MIT-MAGIC-COOKIE-1 or XDM-AUTHORIZATION-1; chapter 8"};
inline constexpr Rule kAnswer{
    "x11.answer",
    "accepted, refused or more, version 11.0 in the octet order of the setup; chapter 8"};

inline constexpr std::array<std::uint16_t, 1> kPorts{6000};
inline constexpr std::array<const Rule*, 3> kRules{&kSetup, &kName, &kAnswer};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "x11",
        .protocol_class = ProtocolClass::app,
        .title = "X Window System",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "X Window System Protocol, version 11 (X.Org), chapter 8 and appendix B"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'l', 'B'}), .least_length = 12};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        for (const StreamSide& side : both_sides(head)) {
            ByteReader reader = side.at(0);
            const std::uint8_t first = reader.u8();
            const std::uint8_t zero = reader.u8();
            if (!reader.ok() || zero != 0 || (first != 'l' && first != 'B')) {
                continue;
            }
            const bool little = first == 'l';
            if (add_setup(evidence, side, little)) {
                add_answer(evidence, StreamSide{head, opposite(side.direction())}, little);
                return evidence;
            }
        }
        return evidence;
    }

  private:
    static std::uint16_t read16(ByteReader& reader, bool little) noexcept {
        return little ? reader.le16() : reader.be16();
    }

    static bool add_setup(Evidence& evidence, const StreamSide& side, bool little) noexcept {
        ByteReader reader = side.at(2);
        const std::uint16_t major = read16(reader, little);
        const std::uint16_t minor = read16(reader, little);
        const std::size_t name = read16(reader, little);
        const std::size_t data = read16(reader, little);
        const std::uint16_t pad = reader.be16();
        const std::size_t end = 12 + (name + 3) / 4 * 4 + (data + 3) / 4 * 4;
        if (!reader.ok() || major != 11 || minor != 0 || pad != 0 || name > 64 || data > 256 ||
            !(side.is_end(end) || (name > 0 && side.is_end(12)))) {
            return false;
        }
        // The order 6, zeros at half 20, eleven 8, two short lengths that lead to an end 12.
        side.add(evidence, kSetup, 0, 12, 46);
        for (const std::string_view known : {"MIT-MAGIC-COOKIE-1", "XDM-AUTHORIZATION-1"}) {
            if (name == known.size() && has_text(side.stream(), known, 12)) {
                side.add(evidence, kName, 12, known.size(), 96);
            }
        }
        evidence.set_initiator(side.direction());
        return true;
    }

    static void add_answer(Evidence& evidence, const StreamSide& side, bool little) noexcept {
        ByteReader reader = side.at(0);
        const std::uint8_t status = reader.u8();
        reader.skip(1);
        const std::uint16_t major = read16(reader, little);
        const std::uint16_t minor = read16(reader, little);
        if (reader.ok() && status <= 2 && major == 11 && minor == 0) {
            // Eleven 8, zeros at half 12.
            side.add(evidence, kAnswer, 2, 4, 20);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::x11
