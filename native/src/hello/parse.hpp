// What the files of this room share. Takes: a head and a direction, or a message. Gives: a
// ClientHello. The carriers put the message together and fill carrier, direction, entry, versions
// and pieces; parse_body() fills the rest.
#pragma once

#include "hello/client_hello.hpp"

namespace flowclass::hello {

bool read_tls(const FlowHead& head, Direction direction, ClientHello& out) noexcept;
bool read_dtls(const FlowHead& head, Direction direction, ClientHello& out) noexcept;
bool read_quic(const FlowHead& head, Direction direction, ClientHello& out) noexcept;

// The message from its legacy version on; out.carrier is set.
bool parse_body(Bytes body, ClientHello& out) noexcept;

inline void add_piece(ClientHello& out, const Piece& piece) noexcept {
    if (out.piece_count < kMaxPieces) {
        out.pieces[out.piece_count++] = piece;
    }
}

// RFC 8701 §2: 0x0a0a, 0x1a1a, ... 0xfafa.
constexpr bool is_grease(std::uint16_t value) noexcept {
    return (value & 0x0f0fU) == 0x0a0a && value >> 8U == (value & 0xffU);
}

inline constexpr std::uint8_t kClientHello = 1;  // handshake type, RFC 8446 §4
inline constexpr std::size_t kHandshakeHeader = 4;

}  // namespace flowclass::hello
