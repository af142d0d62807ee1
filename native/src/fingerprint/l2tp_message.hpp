// L2TP's control messages, versions 2 and 3, and the frame behind a version 3 session header: what
// its matchers over UDP and over IP share.
// Takes: a payload and where the message begins. Gives: its fields, the claims that hold.
// Sources: RFC 2661 §3.1, §4.1, §4.4; RFC 3931 §3.2, §4.1, §5.4.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/inner_packet.hpp"

namespace flowclass::fingerprint::l2tp_message {

struct Control {
    std::uint32_t peer = 0;       // the receiver's tunnel (v2) or control connection (v3)
    std::size_t peer_at = 0;      // in the payload
    std::size_t peer_length = 0;  // 2 or 4
    std::uint32_t assigned = 0;   // what the sender wants to be called: AVP 9 or 61
    std::uint16_t kind = 0;       // message type; 0: an acknowledgment without elements
    bool third = false;           // version 3
};

struct ControlRules {
    const Rule& header;
    const Rule& message;
};

inline constexpr std::uint16_t kStartRequest = 1;
inline constexpr std::uint16_t kStartReply = 2;
inline constexpr std::size_t kHeaderLength = 12;

// Message types of RFC 2661 §3.2 and RFC 3931 §3.1 (20: explicit acknowledgment).
inline bool is_kind(std::uint16_t kind) noexcept {
    return kind >= 1 && kind <= 20 && kind != 5 && kind != 13;
}

// Attribute-value pairs: M, H, zeros, length (10 bits) | vendor be16 | attribute be16 | value.
inline std::uint32_t find_assigned(const Payload& payload,
                                   std::size_t offset,
                                   bool third) noexcept {
    constexpr int kMostPairs = 16;
    const std::uint16_t wanted = third ? 61 : 9;
    for (int count = 0; count < kMostPairs; ++count) {
        ByteReader reader = at(payload.bytes, offset);
        const std::uint16_t flags = reader.be16();
        const std::uint16_t vendor = reader.be16();
        const std::uint16_t attribute = reader.be16();
        const std::size_t length = flags & 0x3ffU;
        if (!reader.ok() || length < 6 || (flags & 0x4000U) != 0) {
            return 0;  // hidden pairs are sealed
        }
        if (vendor == 0 && attribute == wanted) {
            return third ? reader.be32() : reader.be16();
        }
        offset += length;
    }
    return 0;
}

// A control message of `length` octets: T, L, S set, O and P not, the length exact.
inline Reading read_control(const Payload& payload,
                            std::size_t offset,
                            const ControlRules& rules,
                            Control& out,
                            Claims& claims) noexcept {
    ByteReader reader = at(payload.bytes, offset);
    const std::uint16_t flags = reader.be16();
    const std::size_t length = reader.be16();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    out.third = flags == 0xc803;
    out.peer_at = offset + 4;
    out.peer_length = out.third ? 4 : 2;
    out.peer = out.third ? reader.be32() : reader.be16();
    const std::uint16_t session = out.third ? std::uint16_t{0} : reader.be16();
    reader.skip(4);
    if ((flags != 0xc802 && flags != 0xc803) || offset + length != payload.length ||
        length < kHeaderLength) {
        return Reading::contradicts;
    }
    if (!reader.ok()) {
        return ran_out(payload);
    }
    claims.add(rules.header, offset, 4, 29);  // two of 65536 15, an exact length 14
    if (length == kHeaderLength) {
        // An acknowledgment: it has a peer. (Fastd sends this header with zeros on purpose.)
        return out.peer != 0 && session == 0 ? Reading::fits : Reading::contradicts;
    }
    // The first pair says which message it is, and is never hidden: M, length 8, vendor 0, type 0.
    const std::uint16_t pair = reader.be16();
    const std::uint32_t attribute = reader.be32();
    out.kind = reader.be16();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    const bool start = out.kind == kStartRequest;
    if ((pair & ~0x8000U) != 8 || attribute != 0 || !is_kind(out.kind) ||
        (start && (out.peer != 0 || session != 0)) || (!start && out.peer == 0)) {
        return Reading::contradicts;
    }
    claims.add(rules.message, offset + kHeaderLength, 8, 14 + 14 + 11);  // four zeros: 14
    out.assigned = find_assigned(payload, offset + kHeaderLength + 8, out.third);
    return Reading::fits;
}

// Behind a version 3 session: a cookie of 0, 4 or 8 octets, a sublayer of 0 or 4, then mostly
// Ethernet.
inline bool read_frame(const Payload& payload,
                       std::size_t offset,
                       const InnerRules& rules,
                       Claims& claims) noexcept {
    for (const std::size_t cookie : {0U, 4U, 8U, 12U}) {
        Claims found;
        const InnerPlace place{offset + cookie, payload.length, Fit::padded};
        // More than an EtherType, since there are four places to look for it.
        if (inner::read_ethernet(payload, place, rules, found) == Reading::fits &&
            found.bits() >= 20) {
            claims.append(found);
            return true;
        }
    }
    return false;
}

}  // namespace flowclass::fingerprint::l2tp_message
