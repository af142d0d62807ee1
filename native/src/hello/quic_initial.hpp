// QUIC Initial packets of a client (RFC 9000 §17.2.2, RFC 9001 §5, RFC 9369 §3, and the drafts from
// 23 on). Takes: octets of a datagram. Gives: the packets in it; the text of an Initial, once its
// tag was found right. Guarantees: keys are those that anyone on the path can derive from the
// packet; nothing is written but the caller's room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "crypto/libcrypto.hpp"

namespace flowclass::hello {

// A variable-length integer, RFC 9000 §16.
std::uint64_t read_varint(base::ByteReader& reader) noexcept;

struct LongPacket {
    base::Bytes octets;  // of this packet, without those of its datagram that follow
    base::Bytes destination;
    std::uint32_t version = 0;
    std::size_t number_offset = 0;  // of the packet number, and so the length of what is before
    bool is_initial = false;
};

// The packet at the reader's place, which then stands behind it. False when there is none: another
// version, a short header, a Retry, a length beyond the datagram.
bool next_packet(base::ByteReader& reader, LongPacket& out) noexcept;

// What protects a client's Initials of one destination id.
class InitialKeys {
  public:
    bool derive(std::uint32_t version, base::Bytes destination) noexcept;
    // The frames of an Initial, in `room`; empty when these keys do not open it.
    [[nodiscard]] base::Bytes open(const LongPacket& packet,
                                   std::span<std::uint8_t> room) const noexcept;

  private:
    crypto::AesKey key_{};
    crypto::AesKey header_key_{};
    crypto::GcmNonce iv_{};
};

}  // namespace flowclass::hello
