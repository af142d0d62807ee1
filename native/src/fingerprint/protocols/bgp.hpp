// BGP-4 (RFC 4271 §4.1), TCP.
//
//  0 sixteen octets FF | 16 length 2: 19..4096, 65535 with RFC 8654 | 18 type 1..5
//  open (1): 19 version 4 | 20 AS 2 | 22 hold time 2 | 24 identifier 4 | 28 length 1 = the rest
//  keepalive (4): 19 octets, nothing more. Messages follow one another.
//
// Sources: RFC 4271 §4, RFC 2918, RFC 8654.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::bgp {

inline constexpr Rule kMarker{"bgp.marker", "sixteen octets of ones; RFC 4271 §4.1"};
inline constexpr Rule kHeader{"bgp.header",
                              "a length that the type allows, a type of 1 to 5; RFC 4271 §4.1"};
inline constexpr Rule kOpen{"bgp.open",
                            "version 4, a hold time, options that fill the message; RFC 4271 §4.2"};
inline constexpr Rule kChain{"bgp.chain", "another marker where the length leads; RFC 4271 §4.1"};

inline constexpr std::array<std::uint16_t, 1> kPorts{179};
inline constexpr std::array<const Rule*, 4> kRules{&kMarker, &kHeader, &kOpen, &kChain};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "bgp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Border Gateway Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 4271 §4, RFC 2918, RFC 8654"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0xff}), .least_length = 1};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static constexpr std::size_t kHeaderSize = 19;

    static bool is_message(ByteReader reader) noexcept {
        const std::uint64_t high = reader.be64();
        const std::uint64_t low = reader.be64();
        const std::uint16_t length = reader.be16();
        const std::uint8_t type = reader.u8();
        // Least lengths by type: open, update, notification, keepalive, route refresh.
        constexpr std::array<std::uint16_t, 6> kLeast{0, 29, 23, 21, 19, 23};
        return reader.ok() && (high & low) == ~0ULL && type >= 1 && type <= 5 &&
               length >= kLeast[type] && (type != 4 || length == kHeaderSize);
    }

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        constexpr std::size_t kMostMessages = 4;
        std::size_t offset = 0;
        for (std::size_t count = 0; count < kMostMessages; ++count) {
            if (side.size() < offset + kHeaderSize) {
                return true;
            }
            if (!is_message(side.at(offset))) {
                return count > 0;
            }
            const std::uint16_t length = side.at(offset + 16).be16();
            if (count > 0) {
                side.add(evidence, kChain, offset, 16, count == 1 ? 24 : 4);
            } else {
                // Runs of FF are common, runs of just 16 less so: 48 of 128. Types 5 of 8, a length
                // that leads on 10 of 16.
                side.add(evidence, kMarker, 0, 16, 48);
                side.add(evidence, kHeader, 18, 1, 5);
                if (side.is_end(length) || is_message(side.at(length))) {
                    side.add(evidence, kHeader, 16, 2, 10);
                }
                add_open(evidence, side, length);
            }
            offset += length;
        }
        return true;
    }

    static void add_open(Evidence& evidence, const StreamSide& side, std::size_t length) noexcept {
        ByteReader reader = side.at(18);
        const std::uint8_t type = reader.u8();
        const std::uint8_t version = reader.u8();
        reader.skip(2);
        const std::uint16_t hold = reader.be16();
        reader.skip(4);
        const std::uint8_t options = reader.u8();
        if (reader.ok() && type == 1 && version == 4 && hold != 1 && hold != 2 &&
            (kHeaderSize + 10U + options == length || options == 255)) {
            side.add(evidence, kOpen, 19, 1, 8);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::bgp
