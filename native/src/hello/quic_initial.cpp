// Long header, RFC 9000 §17.2:
//
//  0          1         5    6      6+D  7+D      7+D+S
// | 11TTRRPP | version | D  | dest | S  | source | Initial: varint n, token | varint length |
// | packet number 1-4 | sealed frames | tag 16 |      length counts from the packet number on
//
// TT: 0 Initial, 1 0-RTT, 2 Handshake, 3 Retry; version 2: 1, 2, 3, 0. RR and PP, and the packet
// number, are masked by a block cipher over 16 octets of the sealed part (RFC 9001 §5.4).
#include "hello/quic_initial.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace flowclass::hello {

namespace {

using base::ByteReader;
using base::Bytes;

constexpr std::size_t kSaltLength = 20;
using Salt = std::array<std::uint8_t, kSaltLength>;

// draft-ietf-quic-tls-23 §5.2 to -28.
constexpr Salt kSaltDraft23{0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
                            0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02};
// draft-ietf-quic-tls-29 §5.2 to -32.
constexpr Salt kSaltDraft29{0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
                            0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99};
// RFC 9001 §5.2, and drafts 33 and 34.
constexpr Salt kSaltV1{0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                       0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};
// RFC 9369 §3.3.1.
constexpr Salt kSaltV2{0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
                       0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9};

constexpr std::uint32_t kVersion1 = 1;
constexpr std::uint32_t kVersion2 = 0x6b3343cf;
constexpr std::size_t kMostId = 20;     // RFC 9000 §17.2
constexpr std::size_t kSampleStep = 4;  // the sample lies as if the number had four octets
constexpr std::size_t kLeastSealed = kSampleStep + crypto::kAesBlockLength;

// nullptr: a version whose Initials are not read here.
const Salt* salt_of(std::uint32_t version) noexcept {
    if (version == kVersion1) {
        return &kSaltV1;
    }
    if (version == kVersion2) {
        return &kSaltV2;
    }
    const std::uint32_t draft = version & 0xffU;
    if (version >> 8U != 0xff0000 || draft < 23 || draft > 34) {
        return nullptr;
    }
    return draft < 29 ? &kSaltDraft23 : draft < 33 ? &kSaltDraft29 : &kSaltV1;
}

// HKDF-Expand-Label (RFC 8446 §7.1) for at most one block of output: T(1) of RFC 5869 §2.3 is an
// HMAC over the label's structure and the octet 1.
bool expand_label(const crypto::Digest& secret,
                  std::string_view label,
                  std::span<std::uint8_t> out) noexcept {
    constexpr std::string_view kPrefix = "tls13 ";
    std::array<std::uint8_t, 32> info{};
    std::size_t length = 0;
    const auto put = [&info, &length](std::size_t octet) {
        if (length < info.size()) {
            info[length++] = static_cast<std::uint8_t>(octet);
        }
    };
    put(0);
    put(out.size());
    put(kPrefix.size() + label.size());
    for (const char character : kPrefix) {
        put(static_cast<std::uint8_t>(character));
    }
    for (const char character : label) {
        put(static_cast<std::uint8_t>(character));
    }
    put(0);
    put(1);
    crypto::Digest block;
    if (out.size() > block.size() ||
        !crypto::hmac_sha256(secret, Bytes(info).first(length), block)) {
        return false;
    }
    std::copy_n(block.begin(), out.size(), out.begin());
    return true;
}

}  // namespace

std::uint64_t read_varint(ByteReader& reader) noexcept {
    std::uint64_t value = reader.u8();
    const unsigned more = (1U << (value >> 6U)) - 1U;
    value &= 0x3fU;
    for (unsigned octet = 0; octet < more; ++octet) {
        value = value << 8U | reader.u8();
    }
    return value;
}

bool next_packet(ByteReader& reader, LongPacket& out) noexcept {
    const Bytes datagram = reader.rest();
    ByteReader header(datagram);
    const std::uint8_t first = header.u8();
    out.version = header.be32();
    const std::size_t destination_length = header.u8();
    out.destination = header.bytes(destination_length);
    const std::size_t source_length = header.u8();
    header.skip(source_length);
    if ((first & 0xc0U) != 0xc0 || salt_of(out.version) == nullptr ||
        destination_length > kMostId || source_length > kMostId) {
        return false;
    }
    const bool second = out.version == kVersion2;
    const unsigned type = first >> 4U & 3U;
    if (type == (second ? 0U : 3U)) {
        return false;
    }
    out.is_initial = type == (second ? 1U : 0U);
    if (out.is_initial) {
        const std::uint64_t token = read_varint(header);
        header.skip(token > datagram.size() ? SIZE_MAX : static_cast<std::size_t>(token));
    }
    const std::uint64_t length = read_varint(header);
    out.number_offset = header.position();
    if (!header.ok() || length > header.remaining()) {
        return false;
    }
    out.octets = reader.bytes(out.number_offset + static_cast<std::size_t>(length));
    return true;
}

bool InitialKeys::derive(std::uint32_t version, Bytes destination) noexcept {
    const Salt* const salt = salt_of(version);
    const bool second = version == kVersion2;
    crypto::Digest initial;
    crypto::Digest client;
    return salt != nullptr && crypto::hmac_sha256(*salt, destination, initial) &&
           expand_label(initial, "client in", client) &&
           expand_label(client, second ? "quicv2 key" : "quic key", key_) &&
           expand_label(client, second ? "quicv2 iv" : "quic iv", iv_) &&
           expand_label(client, second ? "quicv2 hp" : "quic hp", header_key_);
}

Bytes InitialKeys::open(const LongPacket& packet, std::span<std::uint8_t> room) const noexcept {
    ByteReader reader(packet.octets);
    const Bytes header = reader.bytes(packet.number_offset);
    const Bytes sealed = reader.rest();
    if (!reader.ok() || header.empty() || sealed.size() < kLeastSealed) {
        return {};
    }
    crypto::AesBlock mask{};
    if (!crypto::aes128_block(
            header_key_, sealed.subspan(kSampleStep, crypto::kAesBlockLength), mask)) {
        return {};
    }
    const std::array<std::uint8_t, 1> first{static_cast<std::uint8_t>(header[0] ^ (mask[0] & 15U))};
    const std::size_t number_length = (first[0] & 3U) + 1U;
    std::array<std::uint8_t, 4> number{};
    crypto::GcmNonce nonce = iv_;
    for (std::size_t at = 0; at < number_length; ++at) {
        number[at] = sealed[at] ^ mask[at + 1];
        nonce[nonce.size() - number_length + at] ^= number[at];
    }
    const Bytes text = sealed.subspan(number_length);
    const std::size_t size = text.size() - std::min(text.size(), crypto::kGcmTagLength);
    if (size == 0 || size > room.size() ||
        !crypto::aes128_gcm_open(key_,
                                 nonce,
                                 {first, header.subspan(1), Bytes(number).first(number_length)},
                                 text,
                                 room)) {
        return {};
    }
    return Bytes(room).first(size);
}

}  // namespace flowclass::hello
