// TPKT (RFC 1006 §6) and the class 0 transport under it (X.224 §13), as RDP, S7, MMS and H.323 use
// them.
// Takes: a TCP direction. Gives: what the packet at an offset says. Guarantees: a packet whose
// lengths contradict is none.
//
//  0 version 3 | 1 zero | 2 length 2, with itself | 4 header length 1 | 5 code 1: E0 connection
//  request, D0 confirm, F0 data (then 80: the last of its unit) ...
#pragma once

#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint {

inline constexpr std::size_t kTpktHeader = 4;

struct Tpkt {
    std::uint16_t length = 0;  // of the packet, 0 when there is none
    std::uint8_t header = 0;   // X.224's length indicator: octets behind itself
    std::uint8_t code = 0;     // X.224's code, 0 when the packet has none
    std::size_t begin = 0;     // of the user data, in the stream
    bool whole = false;        // header and code were kept
    [[nodiscard]] bool is_connection() const noexcept { return code == 0xe0 || code == 0xd0; }
    [[nodiscard]] bool is_data() const noexcept { return code == 0xf0; }
};

// The TPKT header at `offset`.
inline Tpkt read_tpkt(const StreamSide& side, std::size_t offset) noexcept {
    Tpkt packet;
    ByteReader reader = side.at(offset);
    const std::uint16_t version = reader.be16();
    const std::uint16_t length = reader.be16();
    if (!reader.ok() || version != 0x0300 || length < 7) {
        return packet;
    }
    packet.length = length;
    packet.header = reader.u8();
    packet.code = reader.u8();
    packet.whole = reader.ok();
    packet.begin = offset + kTpktHeader + 1 + packet.header;
    const bool fits = packet.header >= 2 && packet.header + std::size_t{5} <= length;
    const bool connection =
        packet.is_connection() && packet.header >= 6 && packet.header + std::size_t{5} == length;
    const bool data = packet.is_data() && packet.header == 2 && (reader.u8() & 0x7fU) == 0;
    if (!packet.whole || !fits || (!connection && !data)) {
        packet.code = 0;
    }
    return packet;
}

// Version 8, zero 5, half of a length that fits what is behind it 5; where it ends a segment 6
// more.
inline double tpkt_bits(const StreamSide& side, std::size_t offset, const Tpkt& packet) noexcept {
    return side.is_end(offset + packet.length) ? 24 : 18;
}

}  // namespace flowclass::fingerprint
