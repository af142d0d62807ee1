// fastd (UDP, no fixed port).
//
// handshake, alone or behind c8 03 00 0c and eight zeros (fastd 22 and later send both):
//  0         1    2            4
// | 01       | 00 | TLVs, be16 | type le16, length le16, value; ...
//   the first TLV is the handshake's type: 00 00 01 00, then 1, 2 or 3; TLV 5 is the name of the
//   key exchange, "ec25519-fhmqvc"
// data:
//  0         1    2            8        24
// | 02 or 00 | 00 | nonce be48 | tag    | sealed
//   one side's nonces are even and the other's odd: each rises by two; 00 with the L2TP-like prefix
//
// Sources: fastd doc/source/devel/protocol.rst; bytes of fastd 21 and 22.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/reading.hpp"
#include "fingerprint/sealed.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::fastd {

inline constexpr Rule kPrefix{"fastd.prefix",
                              "c8 03 00 0c and eight zeros before a handshake; bytes of fastd 22"};
inline constexpr Rule kHandshake{"fastd.handshake",
                                 "type 1, a zero, the length of the TLVs to the end, and first the "
                                 "TLV with the handshake's type; fastd protocol.rst"};
inline constexpr Rule kExchange{
    "fastd.key_exchange",
    "a TLV of type 5 that says ec25519-fhmqvc, where the TLVs before it end; fastd protocol.rst"};
inline constexpr Rule kData{
    "fastd.data", "type 2 or 0, a zero, a nonce below 2^32, sealed behind it; fastd protocol.rst"};
inline constexpr Rule kNonce{"fastd.nonce",
                             "the nonce is two higher than in the direction's packet before; "
                             "fastd protocol.rst"};

inline constexpr std::array<std::string_view, 2> kVariants{"plain", "l2tp"};
inline constexpr std::array<const Rule*, 5> kRules{
    &kPrefix, &kHandshake, &kExchange, &kData, &kNonce};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "fastd",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "fastd",
                                      .ports = {},
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "fastd doc/source/devel/protocol.rst"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0x00, 0x01, 0x02, 0xc8}),
                                         .least_length = 24,
                                         .octets = {{{1, ByteSet::of({0x00, 0x03})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        Conversation seen;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            const Reading reading = read(head, payload, seen);
            if (reading == Reading::contradicts && !seen.named) {
                return {};
            }
        }
        seen.evidence.set_variant(seen.l2tp ? "l2tp" : "plain");
        return seen.evidence;
    }

  private:
    struct Side {
        std::uint64_t nonce = 0;
        bool there = false;
    };
    struct Conversation {
        Evidence evidence;
        std::array<Side, 2> sides;
        std::array<std::size_t, 2> handshakes{};
        bool named = false;  // a handshake with its name was seen
        bool l2tp = false;
    };
    static constexpr std::size_t kPrefixLength = 12;
    static constexpr std::size_t kTagAt = 8;
    static constexpr std::size_t kLeastData = 24;

    static Reading read(const FlowHead& head, const Payload& payload, Conversation& seen) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t type = reader.u8();
        const std::uint8_t zero = reader.u8();
        if (!reader.ok()) {
            return payload.length == 0 ? Reading::fits : ran_out(payload);
        }
        if (type == 0xc8 && zero == 0x03) {
            const std::uint64_t prefix = at(payload.bytes, 0).be64();
            const ByteReader rest = at(payload.bytes, kPrefixLength);
            const bool fits = prefix == 0xc803'000c'0000'0000 && at(payload.bytes, 8).be32() == 0;
            if (!rest.ok()) {
                return ran_out(payload);
            }
            return fits ? read_handshake(head, payload, kPrefixLength, seen) : Reading::contradicts;
        }
        if (zero != 0 || type > 2) {
            return Reading::contradicts;
        }
        return type == 1 ? read_handshake(head, payload, 0, seen)
                         : read_data(head, payload, type, seen);
    }

    static Reading read_handshake(const FlowHead& head,
                                  const Payload& payload,
                                  std::size_t from,
                                  Conversation& seen) noexcept {
        ByteReader reader = at(payload.bytes, from);
        const std::uint16_t type = reader.be16();
        const std::size_t length = reader.be16();
        const std::uint32_t first = reader.be32();
        const std::uint8_t kind = reader.u8();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if (type != 0x0100 || from + 4 + length != payload.length || first != 0x0000'0100 ||
            kind == 0 || kind > 3) {
            return Reading::contradicts;
        }
        const std::size_t name = find_name(payload, from + 4);
        if (name == kNone) {
            return Reading::contradicts;
        }
        std::size_t& said = seen.handshakes[index_of(payload.direction)];
        seen.named = seen.named || name > 0;
        seen.l2tp = seen.l2tp || from > 0;
        if (said++ == 0) {
            // Two small octets 6, the length 12, five octets of which three are zeros: 18.
            seen.evidence.add(kHandshake, head, payload.entry, from, 9, 36);
            if (name > 0) {
                // Text: four bits a letter.
                seen.evidence.add(kExchange, head, payload.entry, name, 18, 56);
            }
            seen.evidence.set_initiator(kind == 2 ? opposite(payload.direction)
                                                  : payload.direction);
        }
        if (from > 0 && said <= 2) {
            // Four octets, and eight zeros, which are cheap.
            seen.evidence.add(kPrefix, head, payload.entry, 0, kPrefixLength, 28);
        }
        return Reading::fits;
    }

    static constexpr std::size_t kNone = SIZE_MAX;

    // Where the TLV with the exchange's name stands; 0 where the kept octets end before it; kNone
    // where the TLVs do not chain.
    static std::size_t find_name(const Payload& payload, std::size_t from) noexcept {
        constexpr std::size_t kMostTlvs = 16;
        constexpr std::uint16_t kNameType = 5;
        constexpr std::uint16_t kMostType = 0x20;
        std::size_t offset = from;
        for (std::size_t count = 0; count < kMostTlvs && offset < payload.length; ++count) {
            ByteReader reader = at(payload.bytes, offset);
            const std::uint16_t type = reader.le16();
            const std::size_t length = reader.le16();
            if (!reader.ok()) {
                return payload.bytes.size() < payload.length ? 0 : kNone;
            }
            if (type > kMostType || offset + 4 + length > payload.length) {
                return kNone;
            }
            if (type == kNameType && has_text(payload.bytes, "ec25519-fhmqvc", offset + 4) &&
                length == 14) {
                return offset;
            }
            offset += 4 + length;
        }
        return 0;
    }

    static Reading read_data(const FlowHead& head,
                             const Payload& payload,
                             std::uint8_t type,
                             Conversation& seen) noexcept {
        constexpr std::uint64_t kMostStep = 512;
        ByteReader reader = at(payload.bytes, 0);
        const std::uint64_t nonce = reader.be64() & 0xffff'ffff'ffff;
        if (!reader.ok() || payload.bytes.size() < kLeastData) {
            return ran_out(payload);
        }
        if (nonce == 0 || nonce >> 32U != 0 || payload.length < kLeastData ||
            is_plain(part(payload.bytes, kTagAt, kLeastData)) ||
            is_plain(part(payload.bytes, kTagAt, payload.length))) {
            return Reading::contradicts;
        }
        Side& from = seen.sides[index_of(payload.direction)];
        const Side& peer = seen.sides[index_of(opposite(payload.direction))];
        const std::uint64_t step = nonce > from.nonce ? nonce - from.nonce : from.nonce - nonce;
        if ((peer.there && (peer.nonce & 1U) == (nonce & 1U)) ||
            (from.there && (step % 2 != 0 || step > kMostStep))) {
            return Reading::contradicts;
        }
        // A counter among zeros: 02 00 is rarer than 00 00; a step of two is rarer than one.
        if (!from.there) {
            add_capped(seen, head, payload, kData, 0, 2, type == 2 ? 8 : 3);
        } else if (nonce == from.nonce + 2) {
            add_capped(seen, head, payload, kNonce, 2, 6, type == 2 ? 6 : 5);
        }
        from.nonce = std::max(nonce, from.there ? from.nonce : 0);
        from.there = true;
        seen.l2tp = seen.l2tp || type == 0;
        return Reading::fits;
    }

    // Counters are statistics: alone they never say more than `probable`, from one side `possible`.
    static void add_capped(Conversation& seen,
                           const FlowHead& head,
                           const Payload& payload,
                           const Rule& rule,
                           std::size_t offset,
                           std::size_t length,
                           float bits) noexcept {
        const float most = seen.named ? 200.0F : head.both_directions() ? 60.0F : 31.0F;
        if (seen.evidence.bits() + bits <= most) {
            seen.evidence.add(rule, head, payload.entry, offset, length, bits);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::fastd
