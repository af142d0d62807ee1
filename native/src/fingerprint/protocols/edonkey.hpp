// eDonkey 2000 and eMule, TCP (Kulbak and Bickson, The eMule Protocol Specification §6).
//
//  0 E3 (eDonkey), C5 (eMule), D4 (packed) | 1 length 4, little-endian | 5 kind 1 | ...
//  hello to a client (01): 10 | id 16 | ..., its answer (4C); login to a server (01): id 16
//
// Sources: Kulbak, Bickson: The eMule Protocol Specification §2, §6.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::edonkey {

inline constexpr Rule kHeader{
    "edonkey.header",
    "a mark and a length that leads to a segment end or to another mark; eMule §6.1"};
inline constexpr Rule kHello{
    "edonkey.hello", "a hello with an id of 16 octets, or the answer to it; eMule §6.4.1, §6.4.2"};
inline constexpr Rule kChain{"edonkey.chain",
                             "another mark and length where the length leads; eMule §6.1"};

inline constexpr std::array<std::uint16_t, 1> kPorts{4662};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kHello, &kChain};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "edonkey",
        .protocol_class = ProtocolClass::app,
        .title = "eDonkey and eMule",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "Kulbak, Bickson: The eMule Protocol Specification §2, §6"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0xe3, 0xc5, 0xd4}), .least_length = 6};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static bool is_mark(std::uint8_t octet) noexcept {
        return octet == 0xe3 || octet == 0xc5 || octet == 0xd4;
    }

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        ByteReader reader = side.at(0);
        const std::uint8_t mark = reader.u8();
        const std::uint32_t length = reader.le32();
        const std::uint8_t kind = reader.u8();
        if (!reader.ok()) {
            return true;
        }
        const std::size_t end = 5 + std::size_t{length};
        const bool ends = side.is_end(end) || is_mark(side.at(end).u8());
        if (!is_mark(mark) || length == 0 || length > (1U << 20U) || !ends) {
            return false;
        }
        // Marks 6; a length that leads on 20.
        side.add(evidence, kHeader, 0, 5, 26);
        const std::uint8_t size = reader.u8();
        if (mark == 0xe3 && ((kind == 0x01 && size == 0x10) || kind == 0x4c)) {
            side.add(evidence, kHello, 5, kind == 1 ? 2 : 1, kind == 1 ? 14 : 6);
        }
        const std::uint32_t next = side.at(end + 1).le32();
        if (is_mark(side.at(end).u8()) && next > 0 && next < (1U << 20U) &&
            side.at(end).remaining() >= 5) {
            side.add(evidence, kChain, end, 1, 6);
            side.add(evidence, kChain, end + 3, 2, 10);
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::edonkey
