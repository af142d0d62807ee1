// collectd's network plugin: parts, one after another.
//
// part: kind 2 | length of the whole part 2 | value; 0 host, 2 plugin, 3 plugin instance, 4 type, 5
// type instance: text and 0; 1 time, 7 interval, 8, 9 of high resolution: 8 octets; 6 values; 100
// message; 101 severity; 200 signature; 210 encrypted
//
// Sources: collectd wiki, Binary protocol.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::collectd {

inline constexpr Rule kPart{"collectd.part",
                            "a known part of its own length; collectd, Binary protocol"};
inline constexpr Rule kText{
    "collectd.text", "text to a zero octet at the end of its part; collectd, Binary protocol"};
inline constexpr Rule kSealed{
    "collectd.signature",
    "a signature of 36 octets and a user, or an encrypted part; collectd, Binary protocol"};
inline constexpr Rule kPort{"collectd.port", "UDP port 25826 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{25826};
inline constexpr std::array<const Rule*, 4> kRules{&kPart, &kText, &kSealed, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "collectd",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "collectd",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "collectd wiki, Binary protocol"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::of({0, 1, 2}),
        .least_length = 16,
        .octets = {{{1, ByteSet::range(0, 9) | ByteSet::of({0x10})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                std::size_t offset = 0;
                std::size_t parts = 0;
                double bits = 0;
                while (offset + 4 <= payload.bytes.size() && parts < kMostParts) {
                    const Part part = read_part(payload, offset);
                    if (part.bits == 0) {
                        return Reading::contradicts;
                    }
                    if (first && bits < kMostBits) {
                        evidence.add(part.kind == 0x200 || part.kind == 0x210 ? kSealed
                                     : part.text                              ? kText
                                                                              : kPart,
                                     head,
                                     payload.entry,
                                     offset,
                                     part.checked,
                                     part.bits);
                    }
                    bits += part.bits;
                    offset += part.length;
                    ++parts;
                }
                if (parts == 0 ||
                    (offset != payload.length && payload.bytes.size() == payload.length)) {
                    return ran_out(payload);
                }
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            });
    }

  private:
    static constexpr std::size_t kMostParts = 8;
    static constexpr double kMostBits = 56;

    struct Part {
        std::uint16_t kind = 0;
        std::size_t length = 0;
        std::size_t checked = 4;
        double bits = 0;  // 0: none
        bool text = false;
    };

    static Part read_part(const Payload& payload, std::size_t offset) noexcept {
        ByteReader reader = at(payload.bytes, offset);
        Part part;
        part.kind = reader.be16();
        part.length = reader.be16();
        if (part.length < 5 || offset + part.length > payload.length) {
            return part;
        }
        const Bytes rest = reader.rest();
        switch (part.kind) {
            case 1:
            case 7:
            case 8:
            case 9:
            case 0x101:
                // Kind 12, the exact length 14.
                part.bits = part.length == 12 ? 22 : 0;
                return part;
            case 6:
                part.bits = part.length >= 15 && (part.length - 6) % 9 == 0 ? 12 : 0;
                return part;
            case 0x200:
            case 0x210:
                // Both carry a user's name; hash of 32 octets, or vector and sum of 16 and 20.
                part.bits = part.length > (part.kind == 0x200 ? 36U : 42U) ? 14 : 0;
                return part;
            case 0:
            case 2:
            case 3:
            case 4:
            case 5:
            case 0x100:
                break;
            default:
                return part;
        }
        part.text = true;
        const Bytes text = rest.first(std::min(rest.size(), part.length - 4));
        const bool whole = text.size() + 4 == part.length;
        const Bytes letters = whole ? text.first(text.size() - 1) : text;
        if ((whole && text.back() != 0) ||
            !std::all_of(letters.begin(), letters.end(), [](std::uint8_t octet) {
                return octet >= 0x20 && octet != 0x7f;
            })) {
            return part;
        }
        part.checked = 4 + text.size();
        // Kind 12 of zeros and small numbers: 9; the zero where the part ends 6; text 1 an octet.
        part.bits = 9.0 + (whole ? 6.0 : 0.0) +
                    static_cast<double>(std::min<std::size_t>(letters.size(), 8));
        return part;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::collectd
