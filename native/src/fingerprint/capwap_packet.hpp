// What both CAPWAP channels begin with: the header, and the record of a channel that is sealed.
// Takes: a payload and the rules to claim under. Gives: the header, the claims that hold.
//
//  01 00 00 00 | DTLS record: type 1, version FEFF or FEFD, epoch 2, sequence 6, length be16
//  00 | header words (5), radio (5), binding (5: 1 is 802.11), T F L W M K, zeros (3) | fragment 2
//     | offset (13), zeros (3) | [M: length 1, radio address] [W: length 1, wireless information]
//
// Sources: RFC 5415 §4.1, §4.2, §4.3; RFC 6347 §4.1.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fingerprint/claims.hpp"

namespace flowclass::fingerprint::capwap_packet {

// Sealed, the two channels are the same; there the data channel's port tells them apart.
inline constexpr std::uint16_t kControlPort = 5246;
inline constexpr std::uint16_t kDataPort = 5247;

inline constexpr std::uint8_t kSealed = 1;  // the preamble of a DTLS record

// Control and data begin alike: a header's length and no fragment's offset; or a record of DTLS.
inline constexpr Prefilter kPrefilter{
    .ip_protos = {kUdp},
    .first_bytes = ByteSet::of({0, kSealed}),
    .least_length = 16,
    .octets = {{{0, ByteSet::of({0})},
                {1, ByteSet::range(2 << 3, (8 << 3) + 7)},
                {3, ByteSet::masked(0x87, 0)},
                {6, ByteSet::of({0})}}},
    .or_octets = {{{0, ByteSet::of({kSealed})}, {1, ByteSet::of({0})}, {5, ByteSet::of({0xfe})}}}};

struct Header {
    std::size_t length = 0;  // octets
    bool native = false;     // T: the binding's frames
    bool keep_alive = false;
};

struct DtlsRules {
    const Rule& preamble;
    const Rule& record;
};

inline Reading read_header(const Payload& payload,
                           const Rule& rule,
                           Header& out,
                           Claims& claims) noexcept {
    ByteReader reader(payload.bytes);
    const std::uint8_t preamble = reader.u8();
    const std::uint32_t word = reader.be24();
    reader.skip(2);
    const std::uint16_t offset = reader.be16();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    const std::uint32_t words = word >> 19U;
    const std::uint32_t binding = word >> 9U & 0x1fU;
    const bool wireless = (word & 0x20U) != 0;
    const bool address = (word & 0x10U) != 0;
    constexpr std::uint32_t kMostWords = 8;
    constexpr std::uint32_t kFragment = 0x80;
    out.length = words * std::size_t{4};
    out.native = (word & 0x100U) != 0;
    out.keep_alive = (word & 8U) != 0;
    // 802.11, and EPCglobal which nobody binds (RFC 5415 §4.3): 1, 3; 0 stands before a binding.
    const bool bound = binding == 0 || binding == 1 || binding == 3;
    const std::uint32_t least = wireless || address ? 3 : 2;
    if (preamble != 0 || (word & (7U | kFragment)) != 0 || offset != 0 || !bound || words < least ||
        words > kMostWords || out.length > payload.length) {
        return Reading::contradicts;
    }
    // Length 5 bits of which seven are left 2, binding 3, four reserved bits and the rest zeros.
    claims.add(rule, 0, 4, 8);
    claims.add(rule, 6, 2, 3);
    return Reading::fits;
}

inline Reading read_dtls(const Payload& payload, const DtlsRules& rules, Claims& claims) noexcept {
    constexpr std::size_t kRecordHeader = 13;
    ByteReader reader(payload.bytes);
    const std::uint32_t preamble = reader.be32();
    const std::uint8_t type = reader.u8();
    const std::uint16_t version = reader.be16();
    reader.skip(8);
    const std::size_t length = reader.be16();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    const std::size_t end = 4 + kRecordHeader + length;
    if (preamble != 0x01000000 || type < 20 || type > 25 ||
        (version != 0xfeff && version != 0xfefd) || end > payload.length) {
        return Reading::contradicts;
    }
    claims.add(rules.preamble, 0, 4, 14);  // a small number in little endian is common
    claims.add(rules.record, 4, 3, 5 + 15);
    if (end == payload.length) {
        claims.add(rules.record, 15, 2, 12);
    }
    return Reading::fits;
}

}  // namespace flowclass::fingerprint::capwap_packet
