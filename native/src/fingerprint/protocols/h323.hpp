// H.225.0 call signalling of H.323: Q.931 messages behind TPKT, TCP.
//
//  0 03 00 length 2 | 4 08 (Q.931) | 5 02 | 6 call reference 2 | 8 message: 05 setup, 01 alerting,
//  02 call proceeding, 07 connect, 5A release complete, 62 facility ... | 9 elements; 7E user to
//  user
//
// Sources: ITU-T H.225.0 §7.1, §7.2; ITU-T Q.931 §4; RFC 1006 §6.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::h323 {

inline constexpr Rule kTpkt{
    "h323.tpkt", "a TPKT header whose length leads to a segment end or to another; RFC 1006 §6"};
inline constexpr Rule kMessage{
    "h323.message", "Q.931, a call reference of two octets, one of its messages; H.225.0 §7.2.2"};
inline constexpr Rule kElement{"h323.element", "the first element is one of Q.931; Q.931 §4.5"};

inline constexpr std::array<std::uint16_t, 1> kPorts{1720};
inline constexpr std::array<const Rule*, 3> kRules{&kTpkt, &kMessage, &kElement};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "h323",
        .protocol_class = ProtocolClass::app,
        .title = "H.323 call signalling",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "ITU-T H.225.0 §7.1, §7.2; ITU-T Q.931 §4; RFC 1006 §6"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0x03}), .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static bool is_message(std::uint8_t type) noexcept {
        switch (type) {
            case 0x01:
            case 0x02:
            case 0x03:
            case 0x05:
            case 0x07:
            case 0x0d:
            case 0x0f:
            case 0x5a:
            case 0x62:
            case 0x6e:
            case 0x75:
            case 0x7b:
            case 0x7d:
                return true;
            default:
                return false;
        }
    }

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        ByteReader reader = side.at(0);
        const std::uint16_t version = reader.be16();
        const std::uint16_t length = reader.be16();
        const std::uint16_t protocol = reader.be16();
        reader.skip(2);
        const std::uint8_t type = reader.u8();
        if (!reader.ok()) {
            return true;
        }
        const bool ends = side.is_end(length) || side.at(length).be16() == 0x0300;
        if (version != 0x0300 || length < 9 || protocol != 0x0802 || !is_message(type)) {
            return !side.from_start();
        }
        side.add(evidence, kTpkt, 0, 4, ends ? 24 : 16);
        // Two constants 15, thirteen messages of 256: 4.
        side.add(evidence, kMessage, 4, 2, 15);
        side.add(evidence, kMessage, 8, 1, 4);
        const std::uint8_t element = reader.u8();
        if (element == 0x04 || element == 0x08 || element == 0x1c || element == 0x28 ||
            element == 0x6c || element == 0x70 || element == 0x7e) {
            side.add(evidence, kElement, 9, 1, 5);
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::h323
