// Takes: one OpenVPN packet (a UDP datagram, or what a 16-bit length frames in TCP) and how its
// control channel is wrapped. Gives: its fields, or why it cannot be such a packet.
//
//  plain      0 opcode<<3 | key id, 1 session id 8, 9 acks..., message id 4, payload
//  tls-auth   0 opcode<<3 | key id, 1 session id 8, 9 HMAC H, +0 packet id 4, +4 time 4, acks...,
//             message id 4, payload
//  tls-crypt  0 opcode<<3 | key id, 1 session id 8, 9 packet id 4, 13 time 4, 17 tag 32, sealed
//             (acks, message id, payload); version 2 resets end in a wrapped key and its 16-bit
//             length
//  acks       count 1, count * 4 packet ids, and where count > 0 the peer's session id 8
//  ACK packets have no message id. H: MD5 16, SHA-1 20, SHA-224 28, SHA-256 32, SHA-384 48,
//  SHA-512 64.
//
// Sources: openvpn-rfc openvpn-wire-protocol.xml; openvpn/src/openvpn/ssl_pkt.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/few.hpp"
#include "fingerprint/sealed.hpp"

namespace flowclass::fingerprint::openvpn {

enum Opcode : std::uint8_t {
    soft_reset = 3,
    control = 4,
    ack = 5,
    data_v1 = 6,
    client_reset = 7,
    server_reset = 8,
    data_v2 = 9,
    client_reset_v3 = 10,
    control_wkc = 11,
};
constexpr bool is_data(std::uint8_t opcode) noexcept {
    return opcode == data_v1 || opcode == data_v2;
}
constexpr bool is_reset(std::uint8_t opcode) noexcept {
    return opcode == client_reset || opcode == server_reset || opcode == client_reset_v3;
}

enum class Wrapping : std::uint8_t { plain, tls_auth, tls_crypt };

struct Mode {
    Wrapping wrapping = Wrapping::plain;
    std::size_t hmac = 0;
    std::string_view variant;
};

inline constexpr std::array<Mode, 8> kModes{{
    {Wrapping::plain, 0, "plain"},
    {Wrapping::tls_auth, 16, "tls-auth-md5"},
    {Wrapping::tls_auth, 20, "tls-auth-sha1"},
    {Wrapping::tls_auth, 28, "tls-auth-sha224"},
    {Wrapping::tls_auth, 32, "tls-auth-sha256"},
    {Wrapping::tls_auth, 48, "tls-auth-sha384"},
    {Wrapping::tls_auth, 64, "tls-auth-sha512"},
    {Wrapping::tls_crypt, 32, "tls-crypt"},
}};

// One packet as it was seen. `where` is the head's entry (UDP) or the stream offset of the opcode
// (TCP); `entry` is the head's entry that holds the opcode, kMaxEntries where none does.
struct Packet {
    Bytes bytes;
    std::uint32_t length = 0;
    base::TimeNs time = 0;
    std::size_t where = 0;
    std::size_t entry = 0;
    Direction direction = Direction::forward;

    [[nodiscard]] std::uint8_t opcode() const noexcept { return at(bytes, 0).u8() >> 3U; }
    [[nodiscard]] std::uint8_t key_id() const noexcept { return at(bytes, 0).u8() & 7U; }
};

struct Packets {
    // A TCP head keeps up to 2 KiB a direction; a frame is never shorter than 16 octets, but 16 of
    // them are enough.
    static constexpr std::size_t kMost = 32;
    Few<Packet, kMost> items;
    bool in_stream = false;

    void add(const Packet& packet) noexcept { items.add(packet); }
};

// A check at an offset of the packet. In a stream it ends with the segment that holds its first
// octet.
inline void add_check(Evidence& evidence,
                      const FlowHead& head,
                      bool in_stream,
                      const Rule& rule,
                      const Packet& packet,
                      std::size_t offset,
                      std::size_t length,
                      double bits) noexcept {
    if (!in_stream) {
        evidence.add(rule, head, packet.where, offset, length, bits);
        return;
    }
    const std::size_t begin = packet.where + offset;
    const std::size_t entry = head.entry_at(packet.direction, begin);
    if (entry < kMaxEntries) {
        const std::size_t end = std::size_t{head.entries[entry].start} + head.entries[entry].length;
        evidence.add_stream(
            rule, head, packet.direction, begin, std::min(length, end - begin), bits);
    }
}

// Session ids are random: zero, text and counters are not one. Three zeros in eight octets come
// once in 300,000.
inline bool is_session_id(Bytes bytes, std::size_t offset) noexcept {
    const Bytes id = part(bytes, offset, offset + 8);
    return std::count(id.begin(), id.end(), 0) < 3 && looks_sealed(id);
}

struct Control {
    std::uint64_t session = 0;
    std::uint64_t peer = 0;  // where `has_peer`
    std::uint32_t packet_id = 0;
    std::uint32_t net_time = 0;
    std::uint32_t message_id = 0;
    std::size_t wrap_at = 0;  // of the packet id, where `is_wrapped`
    std::size_t acks_at = 0;  // of the count, where `has_acks`
    std::size_t peer_at = 0;
    std::size_t payload_at = 0;  // where `has_acks`
    std::uint8_t ack_count = 0;
    bool is_wrapped = false;
    bool has_acks = false;        // the count was captured
    bool has_peer = false;        // the whole id was
    bool has_message_id = false;  // all four octets were
};

// What a packet id of the control channel's wrapping can be: it starts at 1; a client that can
// resend its wrapped key starts at 0x0f000001 (0x0a010001 before the release).
constexpr std::uint32_t counter_of(std::uint32_t packet_id) noexcept {
    constexpr std::uint32_t kResendable = 0x0f00'0000;
    constexpr std::uint32_t kResendableBefore = 0x0a01'0000;
    const std::uint32_t high = packet_id & 0xffff'0000;
    return high == kResendable || high == kResendableBefore ? packet_id & 0xffff : packet_id;
}
constexpr bool is_early_packet_id(std::uint32_t value) noexcept {
    return counter_of(value) >= 1 && counter_of(value) <= 64;
}
constexpr bool is_packet_id(std::uint32_t value) noexcept {
    return counter_of(value) >= 1 && counter_of(value) < 0x0010'0000;
}

// Whether enough of the packet was captured to tell the mode: of the wrapped ones packet id and
// time, and of tls-crypt octets of its tag. What is cut behind them says nothing.
inline bool is_readable(const Packet& packet, const Mode& mode) noexcept {
    constexpr std::size_t kOpcodeSession = 9;
    constexpr std::size_t kPacketIdTime = 8;
    constexpr std::size_t kMessageId = 5;
    const std::size_t behind = mode.wrapping == Wrapping::plain      ? kMessageId
                               : mode.wrapping == Wrapping::tls_auth ? mode.hmac + kPacketIdTime
                                                                     : kPacketIdTime + kLeastSealed;
    return packet.bytes.size() >= std::min<std::size_t>(kOpcodeSession + behind, packet.length);
}

// The acknowledgement block and message id in clear, as far as they were captured; `reader` stands
// on the count.
inline bool read_acks(ByteReader& reader,
                      Bytes bytes,
                      std::uint8_t opcode,
                      std::size_t length,
                      Control& out) noexcept {
    constexpr std::uint8_t kMaxAcks = 8;
    constexpr std::uint32_t kMaxMessageId = 0xffff;
    const bool cut = bytes.size() < length;
    out.acks_at = reader.position();
    out.ack_count = reader.u8();
    if (!reader.ok()) {
        return cut;
    }
    out.has_acks = true;
    if (out.ack_count > kMaxAcks || (opcode == ack && out.ack_count == 0)) {
        return false;
    }
    for (std::uint8_t number = 0; number < out.ack_count; ++number) {
        if (reader.be32() > kMaxMessageId) {
            return false;
        }
    }
    out.peer_at = out.acks_at + 1 + std::size_t{out.ack_count} * 4;
    out.payload_at = out.peer_at + (out.ack_count > 0 ? 8U : 0U) + (opcode == ack ? 0U : 4U);
    if (out.ack_count > 0) {
        out.peer = reader.be64();
        out.has_peer = reader.ok();
        if (out.has_peer && !is_session_id(bytes, out.peer_at)) {
            return false;
        }
    }
    if (opcode != ack) {
        out.message_id = reader.be32();
        out.has_message_id = reader.ok();
    }
    if ((!reader.ok() && !cut) || (out.has_message_id && out.message_id > kMaxMessageId)) {
        return false;
    }
    if (opcode == ack || opcode == client_reset || opcode == server_reset) {
        return length == out.payload_at;
    }
    return opcode == soft_reset ? length >= out.payload_at : length > out.payload_at;
}

// tls-crypt hides the acknowledgements; the lengths still tell.
inline bool fits_sealed_length(std::uint8_t opcode, std::size_t length) noexcept {
    constexpr std::size_t kHeader = 49;
    switch (opcode) {
        case client_reset:
            return length == kHeader + 5;
        case server_reset:
            // The early-negotiation TLV of version 2 adds six octets.
            return length == kHeader + 17 || length == kHeader + 23;
        case ack:
            return length >= kHeader + 13 && length <= kHeader + 41 && (length - kHeader) % 4 == 1;
        default:
            return length >= kHeader + 5;
    }
}

// tls-crypt-v2: the last two octets are the length of the wrapped key that they end. Where they
// were not captured there is room for a key at least.
inline bool has_room_for_wrapped_key(const Packet& packet) noexcept {
    // Shortest: a reset of 54 octets; a tag of 32 and the length.
    constexpr std::uint32_t kReset = 54;
    constexpr std::uint32_t kLeastKey = 34;
    if (packet.length < kReset + kLeastKey || packet.bytes.size() < packet.length) {
        return packet.length >= kReset + kLeastKey;
    }
    const std::uint16_t key = at(packet.bytes, packet.length - 2).be16();
    return packet.opcode() == client_reset_v3 ? key == packet.length - kReset
                                              : key >= kLeastKey && key <= packet.length - kReset;
}

// What most packets of other protocols lack already: a count of acknowledgements in the one place,
// a packet id in the other. False only for a packet that read_control refuses.
inline bool may_be_control(const Packet& packet, const Mode& mode) noexcept {
    constexpr std::size_t kOpcodeSession = 9;
    constexpr std::uint8_t kMaxAcks = 8;
    if (mode.wrapping == Wrapping::plain) {
        return packet.bytes.size() <= kOpcodeSession || packet.bytes[kOpcodeSession] <= kMaxAcks;
    }
    return is_packet_id(
        at(packet.bytes, kOpcodeSession + (mode.wrapping == Wrapping::tls_auth ? mode.hmac : 0))
            .be32());
}

// True when the packet, whose session id is one, fits the mode as far as it was captured. What is
// counted over many octets comes last: most packets fit no mode.
inline bool read_control(const Packet& packet, const Mode& mode, Control& out) noexcept {
    ByteReader reader(packet.bytes);
    const std::uint8_t opcode = reader.u8() >> 3U;
    out.session = reader.be64();
    if (mode.wrapping == Wrapping::plain) {
        return opcode != client_reset_v3 && opcode != control_wkc &&
               read_acks(reader, packet.bytes, opcode, packet.length, out);
    }
    const std::size_t hmac_at = reader.position();
    if (mode.wrapping == Wrapping::tls_auth) {
        reader.skip(mode.hmac);
    }
    out.is_wrapped = true;
    out.wrap_at = reader.position();
    out.packet_id = reader.be32();
    out.net_time = reader.be32();
    if (!reader.ok() || !is_packet_id(out.packet_id)) {
        return false;
    }
    if (mode.wrapping == Wrapping::tls_auth) {
        return opcode != client_reset_v3 && opcode != control_wkc &&
               looks_sealed(part(packet.bytes, hmac_at, out.wrap_at)) &&
               read_acks(reader, packet.bytes, opcode, packet.length, out);
    }
    if ((opcode == client_reset_v3 || opcode == control_wkc) && !has_room_for_wrapped_key(packet)) {
        return false;
    }
    return fits_sealed_length(opcode, packet.length) &&
           looks_sealed(part(packet.bytes, 17, packet.length));
}

}  // namespace flowclass::fingerprint::openvpn
