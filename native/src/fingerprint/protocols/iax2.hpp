// IAX version 2 (RFC 5456 §8.1), full frames.
//
// 0 1 and source call 15 bits | 2 retransmitted 1 bit, destination call 15 | 4 time stamp 4 | 8
// sent | 9 received | 10 kind | 11 subclass kind 6, control: elements: kind, length, value. Between
// them mini frames: 0 and source call 15 bits, time stamp 2, voice.
//
// Sources: RFC 5456.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::iax2 {

inline constexpr Rule kFrame{"iax2.full_frame",
                             "a full frame of a known kind; RFC 5456 §8.1.1, §8.2"};
inline constexpr Rule kElements{
    "iax2.elements", "elements that end with the datagram or what was kept; RFC 5456 §8.6"};
inline constexpr Rule kVersion{"iax2.version",
                               "a new call or registration from the start: destination and "
                               "sequence zero, kind 6; RFC 5456 §6.2.2"};
inline constexpr Rule kCall{"iax2.calls", "the other side has the same two calls; RFC 5456 §8.1.1"};
inline constexpr Rule kPort{"iax2.port", "UDP port 4569 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{4569};
inline constexpr std::array<const Rule*, 5> kRules{&kFrame, &kElements, &kVersion, &kCall, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "iax2",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Inter-Asterisk eXchange",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 5456"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::range(0x80, 0xff),
                                         .least_length = 12,
                                         .octets = {{{10, ByteSet::range(1, 12)}}}};

    static Evidence match(const FlowHead& head) noexcept {
        std::array<std::uint16_t, 2> source{};
        bool linked = false;
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint16_t call = reader.be16();
                const std::uint16_t destination = reader.be16() & 0x7fffU;
                reader.skip(4);
                const std::uint16_t sequence = reader.be16();
                const std::uint8_t kind = reader.u8();
                const std::uint8_t subclass = reader.u8();
                if ((call & 0x8000U) == 0) {
                    return Reading::cut;  // a mini frame
                }
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                if (kind == 0 || kind > 12 || (kind == 6 && (subclass == 0 || subclass > 40))) {
                    return Reading::contradicts;
                }
                const Walk walk = kind == 6 ? read_elements(payload) : Walk{true, 0};
                if (!walk.valid) {
                    return Reading::contradicts;
                }
                if (first) {
                    evidence.add(kFrame, head, payload.entry, 10, 1, kind == 6 ? 8 : 4);
                    if (kind == 6) {
                        // The subclass 2; each element 3, their end 6.
                        evidence.add(kElements, head, payload.entry, 11, 1, 2);
                        if (walk.last != 0) {
                            evidence.add(kElements, head, payload.entry, walk.last + 1, 1, 10);
                        }
                    }
                    if (kind == 6 && destination == 0 && sequence == 0) {
                        evidence.add(kVersion, head, payload.entry, 2, 2, 8);
                        evidence.add(kVersion, head, payload.entry, 8, 2, 8);
                    }
                }
                const std::uint16_t other = source[index_of(opposite(payload.direction))];
                if (!linked && destination != 0 && other == destination) {
                    linked = true;
                    evidence.add(kCall, head, payload.entry, 2, 2, 13);
                }
                source[index_of(payload.direction)] = call & 0x7fffU;
                return Reading::fits;
            });
    }

  private:
    struct Walk {
        bool valid = false;
        std::size_t last = 0;  // the last element that was kept
    };
    static Walk read_elements(const Payload& payload) noexcept {
        constexpr std::uint8_t kMostElement = 0x3a;
        Walk walk;
        std::size_t offset = 12;
        while (offset + 2 <= payload.bytes.size()) {
            const std::uint8_t kind = payload.bytes[offset];
            if (kind == 0 || kind > kMostElement) {
                return walk;
            }
            walk.last = offset;
            offset += 2U + payload.bytes[offset + 1];
        }
        walk.valid = offset == payload.length ||
                     (payload.bytes.size() < payload.length && offset <= payload.length);
        return walk;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::iax2
