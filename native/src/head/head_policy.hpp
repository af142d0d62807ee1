// What is kept of a flow's first payloads: the one place that decides it.
// Takes: the first octets of a payload. Gives: how many octets of it are worth keeping. A
// fingerprint that needs more than the default prefix says so here, with the reason; ports do not
// count.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/byte_reader.hpp"
#include "base/time.hpp"

namespace flowclass::head {

inline constexpr std::size_t kPrefix = 64;  // octets kept of a payload by default
inline constexpr std::size_t kSmallBytes =
    512;  // kept per direction by default: 8 payloads of kPrefix
// Kept per direction where a handshake is worth it: a ClientHello with post-quantum key shares and
// a session ticket has some 2,200 octets, and QUIC spreads it over three Initials of at least
// 1,200.
inline constexpr std::size_t kLargeBytes = 4096;
inline constexpr std::uint32_t kMaxPayloadPackets =
    64;  // a head closes after this many payloads, whatever it still wants
inline constexpr base::TimeNs kHeadTime =
    2 * base::kSecond;  // and this long after the first payload, in packet time

// A fixed-header reader for the few octets the rules below look at.
struct FirstOctets {
    std::uint8_t b0 = 0, b1 = 0, b2 = 0, b3 = 0;
    std::uint16_t at4 = 0, at6 = 0;
};
inline FirstOctets first_octets(base::Bytes payload) noexcept {
    base::ByteReader reader(payload);
    FirstOctets found;
    found.b0 = reader.u8();
    found.b1 = reader.u8();
    found.b2 = reader.u8();
    found.b3 = reader.u8();
    found.at4 = reader.be16();
    found.at6 = reader.be16();
    return found;
}

// A QUIC Initial of version 1, version 2 or the drafts from 23 on (RFC 9000 §17.2.2, RFC 9369
// §3.1), padded as RFC 9000 §14.1 wants it: the ClientHello in it is read once its end is there.
inline bool is_quic_initial(const FirstOctets& first, std::uint32_t length) noexcept {
    if ((first.b0 & 0xc0U) != 0xc0 || length < 1200 || length > 1500) {
        return false;
    }
    const std::uint32_t version = std::uint32_t{first.b1} << 24U | std::uint32_t{first.b2} << 16U |
                                  std::uint32_t{first.b3} << 8U | first.at4 >> 8U;
    const std::uint32_t type = (first.b0 >> 4U) & 3U;
    const bool draft = version >= 0xff000017 && version <= 0xff000022;
    return version == 0x6b3343cf ? type == 1 : type == 0 && (version == 1 || draft);
}

// A DTLS record that holds a ClientHello (RFC 6347 §4.1, §4.2.2), also of the legacy version 01 00.
inline bool is_dtls_client_hello(base::Bytes payload, const FirstOctets& first) noexcept {
    return first.b0 == 22 && (first.b1 == 0xfe || first.b1 == 0x01) &&
           base::at(payload, 13).u8() == 1 && payload.size() > 13;
}

// UDP and other datagrams: octets to keep of this one.
inline std::size_t datagram_prefix(base::Bytes payload, std::uint32_t length) noexcept {
    const FirstOctets first = first_octets(payload);
    const std::uint8_t opcode = first.b0 >> 3U;
    // WireGuard handshake messages are told by their last octets (mac2), FINGERPRINTS §1.
    if (first.b0 >= 1 && first.b0 <= 3 && (first.b1 | first.b2 | first.b3) == 0 && length <= 256) {
        return length;
    }
    // WARP's have a client id in the reserved octets, or are of the newer form c2, whose mac2
    // stands at 76, §1.
    if ((first.b0 == 1 && length == 148) || (first.b0 == 2 && length == 92)) {
        return length;
    }
    if (first.b0 == 0xc2 && length > 92 && base::at(payload, 76).be64() == 0 &&
        base::at(payload, 84).be64() == 0) {
        return 92;
    }
    if (is_quic_initial(first, length) || is_dtls_client_hello(payload, first)) {
        return length;
    }
    // AnyConnect's DTLS, record version 01 00: the ServerHello repeats the client's session id,
    // which stands at 60 to 91, and two records follow it, §6.
    if (first.b0 == 22 && first.b1 == 0x01 && first.b2 == 0) {
        return std::min<std::size_t>(length, 128);
    }
    // SoftEther's PACK: a small count, the length of a name; the elements that name the protocol
    // stand behind others, §6.
    if ((first.b0 | first.b1 | first.b2) == 0 && first.b3 >= 1 && first.b3 <= 32 &&
        first.at4 == 0 && first.at6 >= 3 && first.at6 <= 32) {
        return std::min<std::size_t>(length, 512);
    }
    // OpenVPN handshakes under SHA-512 tls-auth carry their acknowledgements behind octet 81;
    // tls-crypt-v2 ends in a length, §2.
    if ((opcode == 7 || opcode == 8 || opcode == 4 || opcode == 5) && length <= 160) {
        return length;
    }
    if ((opcode == 10 || opcode == 11) && length < 1200) {
        return length;
    }
    // Longer control messages: packet id and acknowledgements stand behind the HMAC too.
    if (opcode == 4) {
        return 128;
    }
    // IKE: the payload chain runs to the end of the message (header: version at 17, after an
    // optional marker of four zeros), §3.
    const std::size_t marker = (first.b0 | first.b1 | first.b2 | first.b3) == 0 ? 4 : 0;
    const std::uint8_t version = base::at(payload, marker + 17).u8();
    if ((version == 0x10 || version == 0x20) &&
        base::at(payload, marker + 24).be32() + marker == length) {
        return std::min<std::size_t>(length, 1400);
    }
    // L2TP control messages (flags C802 or C803, an exact length): the tunnel that the sender
    // assigns stands behind its names and capabilities, RFC 2661 §6.1.
    if (first.b0 == 0xc8 && (first.b1 == 2 || first.b1 == 3) &&
        (std::uint32_t{first.b2} << 8U | first.b3) == length) {
        return std::min<std::size_t>(length, 192);
    }
    // DHCP's magic cookie stands at octet 236 (RFC 2131 §3), whatever the hardware type.
    if ((first.b0 == 1 || first.b0 == 2) && base::at(payload, 236).be32() == 0x63825363) {
        return 260;
    }
    // A DNS question (RFC 1035 §4.1): one question, few answers; names run to 255 octets.
    if (first.at4 == 1 && first.at6 < 64) {
        return std::min<std::size_t>(length, 300);
    }
    // mDNS (RFC 6762 §18: id 0, no flag but QR, AA, TC): a first name under ip6.arpa or of a
    // service instance is longer than the default prefix.
    if ((first.b0 | first.b1 | first.b3) == 0 && (first.b2 & 0x79U) == 0 && first.at4 < 16 &&
        first.at6 < 64 && length >= 17) {
        return std::min<std::size_t>(length, 160);
    }
    return kPrefix;
}

// How long a head stays open that begins with this payload.
struct HeadTime {
    base::TimeNs most = kHeadTime;
    bool less_once_answered = false;  // then kHeadTime from the other side's first payload on
};

// OpenVPN's first message over UDP (a hard reset with key id 0, of a length that its wrappings
// have), which is sent again after 2, 4 and 8 s until somebody answers: openvpn's reliable.c,
// FINGERPRINTS §2.
inline bool is_retried_reset(base::Bytes payload, std::uint32_t length) noexcept {
    const std::uint8_t first = base::at(payload, 0).u8();
    const bool plain = length == 14 || length == 38 || length == 42 || length == 50 ||
                       length == 54 || length == 70 || length == 86;
    return (first == 0x38 && plain) || (first == 0x50 && length >= 88 && length <= 1400);
}

// IKE behind the non-ESP marker goes before ESP on the same flow, and may wait for a person to
// authenticate (RFC 7296 §2.16).
inline HeadTime head_time(base::Bytes payload,
                          std::uint32_t length,
                          std::uint8_t ip_proto) noexcept {
    constexpr std::uint8_t kUdp = 17;
    constexpr base::TimeNs kLongHeadTime = 15 * base::kSecond;
    const std::uint8_t version = base::at(payload, 4 + 17).u8();
    const bool marked = base::at(payload, 0).be32() == 0 && payload.size() >= 4 + 28;
    if (marked && (version == 0x10 || version == 0x20)) {
        return {kLongHeadTime, false};
    }
    return ip_proto == kUdp && is_retried_reset(payload, length) ? HeadTime{kLongHeadTime, true}
                                                                 : HeadTime{};
}

// The octets that stream_target() looks at.
inline constexpr std::size_t kStreamJudge = 9;

// TCP: octets of the in-order stream worth waiting for, judged from its first octets: all
// kStreamJudge of them, or those there will ever be.
inline std::size_t stream_target(base::Bytes stream) noexcept {
    base::ByteReader reader(stream);
    const std::uint16_t frame = reader.be16();
    const std::uint8_t third = reader.u8();
    if (!reader.ok()) {
        return 0;
    }
    // OpenVPN over TCP: a 16-bit length, then an opcode; its frames are counted by walking the
    // chain, §2.
    const std::uint8_t opcode = third >> 3U;
    if (frame >= 14 && frame <= 1627 && opcode >= 3 && opcode <= 11) {
        return kLargeBytes;
    }
    // A TLS record with a ClientHello (RFC 8446 §5.1, §4): the hello's length, its own header and
    // those of the records that it may be spread over.
    reader.skip(2);
    const std::uint8_t type = reader.u8();
    const std::uint32_t hello = reader.be24();
    if (frame >> 8U == 22 && (frame & 0xffU) == 3 && type == 1 && reader.ok()) {
        constexpr std::uint32_t kLeastRecord = 256;
        return std::min<std::size_t>(9 + hello + hello / kLeastRecord * 5, kLargeBytes);
    }
    return 0;
}

}  // namespace flowclass::head
