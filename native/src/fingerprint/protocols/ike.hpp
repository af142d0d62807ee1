// IKE versions 1 and 2, UDP 500 or any port; behind four zeros (the non-ESP marker) where ESP may
// share the port. All integers big-endian.
//
//  0 initiator SPI 8 | 8 responder SPI 8, zero in the first message | 16 next payload
//  17 version 0x10 or 0x20 | 18 exchange type | 19 flags | 20 message id 4 | 24 length 4, whole
//  28 payloads: next payload 1, flags 1, length 2, body
//
// The length field is the datagram's, the payloads chain to its end, and the answer carries the
// initiator's SPI. Encrypted payloads (version 2: 46 and 53, always the last in clear; version 1:
// flag E) end the chain.
// Sources: RFC 7296 §3.1, §3.2; RFC 2408 §3.1; RFC 3948 §2.2; RFC 9242, RFC 9370 (exchanges 43,
// 44); IANA "IKEv2 Parameters".
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint::ike {

inline constexpr Rule kHeader{
    "ike.header",
    "version 1.0 or 2.0, exchange type and flags of that version, and the length field is the "
    "message's; RFC 7296 §3.1, RFC 2408 §3.1"};
inline constexpr Rule kFirst{
    "ike.first_message",
    "a first message: no responder SPI, message id 0, and the payload that begins it; RFC 7296 "
    "§1.2, RFC 2409 §5"};
inline constexpr Rule kChain{"ike.payload_chain",
                             "the payload lengths chain to the end of the message; RFC 7296 §3.2"};
inline constexpr Rule kSpiEcho{
    "ike.spi_echo", "the other side's message carries the same initiator SPI; RFC 7296 §3.1"};
inline constexpr Rule kSpiRepeat{
    "ike.spi_repeat",
    "a later message of the same side carries the same initiator SPI; RFC 7296 "
    "§3.1"};

inline constexpr std::array<std::uint16_t, 2> kPorts{500, 4500};
inline constexpr std::array<std::string_view, 2> kVariants{"ikev1", "ikev2"};
inline constexpr std::array<const Rule*, 5> kRules{
    &kHeader, &kFirst, &kChain, &kSpiEcho, &kSpiRepeat};

inline constexpr std::size_t kHeaderLength = 28;

struct Message {
    std::size_t begin = 0;  // behind the marker, if there is one
    std::uint64_t initiator_spi = 0;
    std::uint64_t responder_spi = 0;
    std::uint32_t id = 0;
    std::uint8_t next = 0;
    std::uint8_t exchange = 0;
    std::uint8_t flags = 0;
    bool version_2 = false;

    [[nodiscard]] bool is_first() const noexcept {
        if (responder_spi != 0 || id != 0) {
            return false;
        }
        constexpr std::uint8_t kSaInit = 34;
        // SA, or the notify that leads a retry (RFC 7296 §2.6); version 1: SA.
        return version_2 ? exchange == kSaInit && (next == 33 || next == 41)
                         : (exchange == 2 || exchange == 4) && flags == 0 && next == 1;
    }
    [[nodiscard]] bool is_from_initiator() const noexcept {
        constexpr std::uint8_t kInitiatorFlag = 0x08;
        return version_2 ? (flags & kInitiatorFlag) != 0 : is_first();
    }
};

constexpr bool is_exchange(bool version_2, std::uint8_t exchange, std::uint8_t flags) noexcept {
    if (version_2) {
        return exchange >= 34 && exchange <= 44 && (flags & 0xc7U) == 0;
    }
    return ((exchange >= 1 && exchange <= 6) || exchange == 32 || exchange == 33) && flags < 8;
}

constexpr bool is_payload_type(bool version_2, std::uint8_t type) noexcept {
    return version_2 ? type == 0 || (type >= 33 && type <= 60)
                     : type <= 21 || (type >= 128 && type <= 135);
}

// Nearly every payload of other flows ends here: room for a header, behind the marker or not, and a
// version in it.
inline bool may_be_message(Bytes bytes) noexcept {
    const std::size_t begin = bytes.size() >= 4 && at(bytes, 0).be32() == 0 ? 4 : 0;
    return bytes.size() >= begin + kHeaderLength &&
           (bytes[begin + 17] == 0x10 || bytes[begin + 17] == 0x20);
}

// True when the datagram is one IKE message, whole on the wire.
inline bool read(const Payload& payload, Message& out) noexcept {
    if (!may_be_message(payload.bytes)) {
        return false;
    }
    const std::size_t begin = at(payload.bytes, 0).be32() == 0 ? 4 : 0;
    ByteReader reader = at(payload.bytes, begin);
    out.begin = begin;
    out.initiator_spi = reader.be64();
    out.responder_spi = reader.be64();
    out.next = reader.u8();
    const std::uint8_t version = reader.u8();
    out.exchange = reader.u8();
    out.flags = reader.u8();
    out.id = reader.be32();
    const std::uint32_t length = reader.be32();
    out.version_2 = version == 0x20;
    return reader.ok() && out.initiator_spi != 0 &&
           is_exchange(out.version_2, out.exchange, out.flags) &&
           is_payload_type(out.version_2, out.next) && length >= kHeaderLength &&
           length + out.begin == payload.length;
}

// Where the payloads' headers lie, the first few of them.
struct Chain {
    std::array<std::size_t, 4> at{};
    std::size_t count = 0;

    void add(std::size_t position) noexcept {
        if (count < at.size()) {
            at[count++] = position;
        }
    }
};

// Payloads that chain to the message's end, or as far as was kept; none when they do not.
inline Chain chained_payloads(const Payload& payload, const Message& message) noexcept {
    constexpr std::uint8_t kEncryptedFlag = 1;
    constexpr std::size_t kMost = 32;
    if (!message.version_2 && (message.flags & kEncryptedFlag) != 0) {
        return {};
    }
    std::size_t position = message.begin + kHeaderLength;
    std::uint8_t type = message.next;
    Chain chain;
    for (std::size_t count = 0; type != 0 && count < kMost; ++count) {
        ByteReader reader = at(payload.bytes, position);
        const std::uint8_t next = reader.u8();
        reader.skip(1);
        const std::uint16_t length = reader.be16();
        if (!reader.ok()) {
            return payload.bytes.size() < payload.length ? chain : Chain{};
        }
        if (length < 4 || position + length > payload.length) {
            return {};
        }
        chain.add(position);
        position += length;
        // 46 and 53 name the first payload inside.
        const bool is_sealed = message.version_2 && (type == 46 || type == 53);
        if (is_sealed) {
            break;
        }
        if (!is_payload_type(message.version_2, next)) {
            return {};
        }
        type = next;
    }
    return position == payload.length ? chain : Chain{};
}

// Gathers the evidence of a flow's IKE messages; the ESP-in-UDP matcher counts them too.
class Gathering {
  public:
    // False when the payload is no IKE message.
    bool add(const FlowHead& head, const Payload& payload, Evidence& evidence) noexcept {
        Message message;
        if (!read(payload, message)) {
            return false;
        }
        // Version, exchange and flags: 7 + 7 random bits; the length field 32, fewer where a
        // structure has lengths of its own. Further messages of the flow repeat the structure.
        const std::size_t begin = message.begin;
        if (count_ == 0) {
            evidence.add(kHeader, head, payload.entry, begin + 16, 4, 14);
        }
        evidence.add(kHeader, head, payload.entry, begin + 24, 4, count_ == 0 ? 22 : 8);
        if (message.is_first()) {
            evidence.add(kFirst, head, payload.entry, begin + 8, 16, first_ ? 4 : 24);
            first_ = true;
        }
        add_chain(head, payload, message, evidence);
        add_spi(head, payload, message, evidence);
        if (message.is_from_initiator()) {
            evidence.set_initiator(payload.direction);
        } else if (message.version_2) {
            evidence.set_initiator(opposite(payload.direction));
        }
        evidence.set_link_token(message.initiator_spi);
        evidence.set_variant(message.version_2 ? kVariants[1] : kVariants[0]);
        ++count_;
        return true;
    }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

  private:
    void add_chain(const FlowHead& head,
                   const Payload& payload,
                   const Message& message,
                   Evidence& evidence) noexcept {
        const Chain chain = chained_payloads(payload, message);
        // 16 bits of each length, of which few are free in any structure; the first message's are
        // told one by one.
        const std::size_t told = std::min<std::size_t>(chain.count, chain_ ? 1 : chain.at.size());
        for (std::size_t index = 0; index < told; ++index) {
            evidence.add(kChain, head, payload.entry, chain.at[index] + 2, 2, chain_ ? 4 : 10);
        }
        chain_ = chain_ || told > 0;
    }

    void add_spi(const FlowHead& head,
                 const Payload& payload,
                 const Message& message,
                 Evidence& evidence) noexcept {
        std::uint64_t& own = spi_[index_of(payload.direction)];
        const std::uint64_t other = spi_[index_of(opposite(payload.direction))];
        if (message.initiator_spi == other) {
            evidence.add(kSpiEcho, head, payload.entry, message.begin, 8, echo_ ? 4 : 64);
            echo_ = true;
        } else if (message.initiator_spi == own) {
            evidence.add(kSpiRepeat, head, payload.entry, message.begin, 8, repeat_ ? 4 : 12);
            repeat_ = true;
        }
        own = message.initiator_spi;
    }

    std::array<std::uint64_t, 2> spi_{};
    std::size_t count_ = 0;
    bool first_ = false;
    bool chain_ = false;
    bool echo_ = false;
    bool repeat_ = false;
};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "ike",
        .protocol_class = ProtocolClass::vpn,
        .title = "Internet Key Exchange (IPsec)",
        .ports = kPorts,
        .variants = kVariants,
        .rules = kRules,
        .sources = "RFC 7296, RFC 2408, RFC 2409, RFC 3948, RFC 9242, RFC 9370",
        .leads = LinkKind::ike,
        .follows = {LinkKind::ike}};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp}};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        Gathering gathering;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            if (may_be_message(payload.bytes)) {
                gathering.add(head, payload, evidence);
            }
        }
        return evidence;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ike
