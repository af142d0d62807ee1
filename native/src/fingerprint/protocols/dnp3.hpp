// DNP3 (IEEE 1815 §9), TCP: link frames with a checksum over their first eight octets.
//
//  0 05 64 | 2 length 1: 5..255 | 3 control 1 | 4 destination 2 | 6 source 2 | 8 CRC 2,
//  little-endian
//
// Sources: IEEE 1815-2012 §9.2 (data link frame), §9.2.5.3 (CRC: x16+x13+x12+x11+x10+x8+x6+x5+x2+1,
// inverted).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::dnp3 {

inline constexpr Rule kStart{"dnp3.start", "05 64 and a length of at least 5; IEEE 1815 §9.2.4.1"};
inline constexpr Rule kChecksum{"dnp3.checksum",
                                "the checksum of the header holds; IEEE 1815 §9.2.5.3"};
inline constexpr Rule kNext{"dnp3.next",
                            "another frame stands where the length leads; IEEE 1815 §9.2.4"};

inline constexpr std::array<std::uint16_t, 1> kPorts{20000};
inline constexpr std::array<const Rule*, 3> kRules{&kStart, &kChecksum, &kNext};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "dnp3",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "DNP3",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources =
                                          "IEEE 1815-2012 §9.2 (data link frame), §9.2.5.3 (CRC: "
                                          "x16+x13+x12+x11+x10+x8+x6+x5+x2+1, inverted)"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0x05}), .least_length = 10};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static constexpr std::size_t kHeaderSize = 10;

    static std::uint16_t checksum(Bytes bytes) noexcept {
        constexpr unsigned kPolynomial = 0xa6bc;  // reflected
        unsigned value = 0;
        for (const std::uint8_t octet : bytes) {
            value ^= octet;
            for (int bit = 0; bit < 8; ++bit) {
                value = (value & 1U) != 0 ? (value >> 1U) ^ kPolynomial : value >> 1U;
            }
        }
        return static_cast<std::uint16_t>(~value & 0xffffU);
    }

    static bool is_frame(const StreamSide& side, std::size_t offset) noexcept {
        ByteReader reader = side.at(offset);
        const Bytes header = reader.bytes(8);
        const std::uint16_t said = reader.le16();
        return reader.ok() && header[0] == 0x05 && header[1] == 0x64 && header[2] >= 5 &&
               said == checksum(header);
    }

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        if (side.size() < kHeaderSize) {
            return true;
        }
        if (!is_frame(side, 0)) {
            return !side.from_start();
        }
        side.add(evidence, kStart, 0, 2, 16);
        // The checksum is of the eight octets before it.
        side.add(evidence, kChecksum, 2, 8, 16);
        // User data in blocks of 16 with a checksum each.
        const std::size_t data = side.at(2).u8() - std::size_t{5};
        const std::size_t end = kHeaderSize + data + 2 * ((data + 15) / 16);
        if (is_frame(side, end)) {
            side.add(evidence, kNext, end, kHeaderSize, 16);
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::dnp3
