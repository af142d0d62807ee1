// A flow's ClientHello: TLS over TCP, DTLS, and QUIC v1/v2 Initials (decrypted: their keys are
// public). Takes: a FlowHead. Gives: what the client said of itself. Guarantees: a pure function of
// the head; octets are read through ByteReader only; fixed size; a hello that is cut short or
// contradicts itself is none.
//
// Sources: RFC 8446 §4.1.2, RFC 5246 §7.4.1.2, RFC 6347 §4.2, RFC 9147 §5.3, RFC 9001, RFC 9369,
// RFC 6066 §3, RFC 7301 §3.1; JA4 as in FoxIO's specification (BSD-3-Clause).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/byte_reader.hpp"
#include "head/flow_head.hpp"

namespace flowclass::hello {

using base::ByteReader;
using base::Bytes;
using head::Direction;
using head::FlowHead;

enum class Carrier : std::uint8_t { tls, dtls, quic };

// Octets that lay apart (several records, DTLS fragments, CRYPTO frames) or were encrypted are put
// together here.
inline constexpr std::size_t kMaxHello = 4096;
inline constexpr std::size_t kMaxServerName = 255;  // RFC 1035 §2.3.4
inline constexpr std::size_t kMaxAlpn = 255;
inline constexpr std::size_t kJa4Length = 36;
inline constexpr std::size_t kMaxPieces = 8;

// Extensions that are looked into. Numbers: IANA, TLS ExtensionType Values.
inline constexpr std::uint16_t kServerName = 0;
inline constexpr std::uint16_t kSignatureAlgorithms = 13;
inline constexpr std::uint16_t kAlpn = 16;
inline constexpr std::uint16_t kSupportedVersions = 43;
inline constexpr std::uint16_t kTransportParameters = 57;
inline constexpr std::uint16_t kTransportParametersDraft = 0xffa5;

// Octets of the message that lie side by side in the head.
struct Piece {
    std::uint16_t begin = 0;  // in the message
    std::uint16_t length = 0;
    std::uint16_t entry = 0;   // datagrams
    std::uint16_t offset = 0;  // TCP: in the stream; datagrams: in the entry's payload
};

struct ClientHello {
    // User-provided so that the body stays uninitialised; not copied, as spans point into it.
    ClientHello() noexcept {}  // NOLINT(modernize-use-equals-default)
    ClientHello(const ClientHello&) = delete;
    ClientHello& operator=(const ClientHello&) = delete;

    Carrier carrier = Carrier::tls;
    Direction direction = Direction::forward;  // of the client
    std::uint16_t entry = 0;                   // of the head: where it begins
    std::uint16_t record_version = 0;          // TLS, DTLS; QUIC: 0
    std::uint32_t quic_version = 0;
    std::uint16_t legacy_version = 0;
    Bytes session_id;
    Bytes cookie;                  // DTLS
    Bytes cipher_suites;           // be16 each
    Bytes extensions;              // the whole block, without its length
    Bytes supported_versions;      // be16 each
    Bytes signature_algorithms;    // be16 each
    Bytes application_protocols;   // u8 length and name each, RFC 7301 §3.1
    Bytes server_name_octets;      // the host name as it was sent
    Bytes transport_parameters;    // QUIC, RFC 9000 §18
    bool has_server_name = false;  // the extension is there, readable or not

    // Text for people and columns; empty: null. server_name is a host name in lower case of
    // letters, digits, hyphens, underscores and dots, else empty. alpn: names joined by commas;
    // octets that are no printable ASCII (RFC 8701's GREASE among them) leave the name out. ja4:
    // empty where there is no libcrypto.
    [[nodiscard]] std::string_view server_name() const noexcept {
        return {server_name_text.data(), server_name_length};
    }
    [[nodiscard]] std::string_view alpn() const noexcept { return {alpn_text.data(), alpn_length}; }
    [[nodiscard]] std::string_view ja4() const noexcept { return {ja4_text.data(), ja4_length}; }

    // Where a field (one of the spans above) lies in the head. TLS, DTLS: its octets, as many as
    // lie side by side from its first one on. QUIC: the packet that the hello begins in, since each
    // of its octets is needed to open it. `there` is false for a hello in very many pieces.
    struct Place {
        bool there = false;
        std::size_t entry = 0;   // datagrams
        std::size_t offset = 0;  // TCP: in the stream; datagrams: in the entry's payload
        std::size_t length = 0;
    };
    [[nodiscard]] Place place_of(Bytes field) const noexcept;

    Bytes message;  // all that was put together, with TLS's handshake header where there is one
    std::array<Piece, kMaxPieces> pieces;
    std::uint8_t piece_count = 0;
    std::array<char, kMaxServerName> server_name_text;
    std::array<char, kMaxAlpn> alpn_text;
    std::array<char, kJa4Length> ja4_text;
    std::uint8_t server_name_length = 0;
    std::uint8_t alpn_length = 0;
    std::uint8_t ja4_length = 0;
    std::array<std::uint8_t, kMaxHello> body;  // what the spans above point into, where needed
};

// Whether a head whose payloads begin with these octets is worth read(): a few octets, no loop.
bool may_hold_hello(const FlowHead& head) noexcept;

// False: the head holds no whole ClientHello; `out` is then undefined. The spans live as long as
// the head's octets and `out` do.
bool read(const FlowHead& head, ClientHello& out) noexcept;

}  // namespace flowclass::hello
