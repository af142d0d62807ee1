// Locator/ID Separation Protocol, control plane (UDP 4342): asks where an address is. No tunnel.
//
//  0 type (4 bits): 1 map request, 2 reply, 3 register, 4 notify, 5 its acknowledgment,
//    8 encapsulated
//    request: 1 flags | 2 replies - 1 | 3 records | 4 nonce 8 | 12 source EID: family be16, address
//    reply: 1 flags, zeros | 3 records | 4 nonce 8 | 12 record
//    register, notify: 3 records | 4 nonce 8 | 12 key id be16 | 14 authentication length be16
//    record: TTL be32 | locators 1 | mask 1 | flags be16 | version be16 | EID family be16
//    encapsulated: 1 zeros 3 | 4 IP with UDP to port 4342: a request on its way to who knows
//
// Sources: RFC 6830 §6.1; RFC 9301 §5.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/inner_packet.hpp"

namespace flowclass::fingerprint::lisp_control {

inline constexpr Rule kControl{"lisp-control.message",
                               "type, zeros and record count of a message; RFC 9301 §5.2 to §5.8"};
inline constexpr Rule kRecord{
    "lisp-control.record", "address family, mask and locators of the first record; RFC 9301 §5.4"};
inline constexpr Rule kKey{"lisp-control.authentication",
                           "key id and the length of its authentication data; RFC 9301 §5.6"};
inline constexpr Rule kNonce{"lisp-control.nonce",
                             "the answer has the question's nonce; RFC 9301 §5.4"};
inline constexpr Rule kPacket{
    "lisp-control.inner_packet",
    "an encapsulated message is a packet: version, length, checksum; RFC 9301 §5.8, RFC 791"};
inline constexpr Rule kPort{"lisp-control.port", "UDP port 4342 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{4342};
inline constexpr std::array<const Rule*, 6> kRules{
    &kControl, &kRecord, &kKey, &kNonce, &kPacket, &kPort};

inline constexpr std::uint8_t kRequest = 1;
inline constexpr std::uint8_t kReply = 2;
inline constexpr std::uint8_t kRegister = 3;
inline constexpr std::uint8_t kNotifyAnswer = 5;
inline constexpr std::uint8_t kEncapsulated = 8;

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "lisp-control",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Locator/ID Separation Protocol, control plane",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 6830, RFC 9301"};
    // Types 1 to 5 and 8 with the flags in use.
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes =
            ByteSet::range(0x10, 0x18) | ByteSet::range(0x30, 0x3f) |
            ByteSet::of({0x20, 0x24, 0x28, 0x2c, 0x40, 0x48, 0x50, 0x58, 0x80, 0x84, 0x88, 0x8c}),
        .least_length = 24,
        // Records, or three zeros before an encapsulated message.
        .octets = {{{3, ByteSet::range(1, 32)}}},
        .or_octets = {{{0, ByteSet::of({0x80, 0x84, 0x88, 0x8c})},
                       {1, ByteSet::of({0})},
                       {3, ByteSet::of({0})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 3;
        Evidence evidence;
        std::array<std::uint64_t, 2> nonces{};
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                const Reading reading = read(payload, claims);
                if (reading != Reading::fits || at(payload.bytes, 0).u8() >> 4U == kEncapsulated) {
                    return reading;
                }
                const std::uint64_t nonce = at(payload.bytes, 4).be64();
                if (nonce != 0 && nonce == nonces[index_of(opposite(payload.direction))]) {
                    claims.add(kNonce, 4, 8, 50);
                }
                nonces[index_of(payload.direction)] = nonce;
                return reading;
            });
        if (!holds) {
            return {};
        }
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static Reading read(const Payload& payload, Claims& claims) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t first = reader.u8();
        const std::uint8_t second = reader.u8();
        const std::uint8_t third = reader.u8();
        const std::uint8_t records = reader.u8();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const std::uint8_t type = first >> 4U;
        if (type == kEncapsulated) {
            return (first & 3U) == 0 && (second | third | records) == 0
                       ? read_encapsulated(payload, claims)
                       : Reading::contradicts;
        }
        constexpr std::uint8_t kMostRecords = 32;
        if (type < kRequest || type > kNotifyAnswer || records == 0 || records > kMostRecords) {
            return Reading::contradicts;
        }
        return type == kRequest ? read_request(payload, second, third, claims)
               : type == kReply ? read_reply(payload, first, second, third, claims)
                                : read_register(payload, type, second, claims);
    }

    static bool is_family(std::uint16_t family) noexcept {
        return family == 1 || family == 2 || family == 6 || family == 0x4003;
    }

    // An address of a family: its octets; 0 for the longer forms.
    static std::size_t size_of(std::uint16_t family) noexcept {
        return family == 1 ? 4 : family == 2 ? 16 : family == 6 ? 6 : 0;
    }

    // Source EID (family 0: none), its routers, then the first record: zero, mask, family, address.
    static Reading read_request(const Payload& payload,
                                std::uint8_t second,
                                std::uint8_t third,
                                Claims& claims) noexcept {
        constexpr std::size_t kMostRouters = 8;
        ByteReader reader = at(payload.bytes, 12);
        const std::uint16_t source = reader.be16();
        reader.skip(size_of(source));
        const std::size_t routers = (third & 0x1fU) + std::size_t{1};
        if (reader.ok() && ((source != 0 && size_of(source) == 0) || routers > kMostRouters ||
                            (second & 0x1fU) != 0)) {
            return Reading::contradicts;
        }
        const std::size_t router_at = reader.position();
        for (std::size_t count = 0; count < routers && reader.ok(); ++count) {
            const std::uint16_t family = reader.be16();
            reader.skip(size_of(family));
            if (reader.ok() && size_of(family) == 0) {
                return Reading::contradicts;
            }
        }
        const std::uint8_t zero = reader.u8();
        const std::uint8_t mask = reader.u8();
        const std::size_t family_at = reader.position();
        const std::uint16_t family = reader.be16();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const std::size_t most = size_of(family) == 0 ? 255 : size_of(family) * 8;
        if (zero != 0 || mask > most || !is_family(family)) {
            return Reading::contradicts;
        }
        claims.add(kControl, 3, 1, 3);
        claims.add(kRecord, 12, 2, 13);
        claims.add(kRecord, router_at, 2, 13);
        claims.add(kRecord, family_at, 2, 13);
        return Reading::fits;
    }

    // TTL, locators, mask length, flags, version, family at octet `offset`.
    static Reading read_record(const Payload& payload,
                               std::size_t offset,
                               Claims& claims) noexcept {
        constexpr std::uint8_t kMostLocators = 32;
        ByteReader reader = at(payload.bytes, offset + 4);
        const std::uint8_t locators = reader.u8();
        const std::uint8_t mask = reader.u8();
        const std::uint16_t flags = reader.be16();
        const std::uint16_t version = reader.be16();
        const std::uint16_t family = reader.be16();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const std::size_t most = size_of(family) == 0 ? 255 : size_of(family) * 8;
        if (!is_family(family) || mask > most || locators > kMostLocators ||
            (flags & 0x0fffU) != 0 || version >> 12U != 0) {
            return Reading::contradicts;
        }
        claims.add(kRecord, offset + 4, 1, 3);
        claims.add(kRecord, offset + 7, 1, 4);
        claims.add(kRecord, offset + 10, 2, 13);
        return Reading::fits;
    }

    static Reading read_reply(const Payload& payload,
                              std::uint8_t first,
                              std::uint8_t second,
                              std::uint8_t third,
                              Claims& claims) noexcept {
        if ((first & 1U) != 0 || (second | third) != 0) {
            return Reading::contradicts;
        }
        claims.add(kControl, 1, 3, 10);
        return read_record(payload, 12, claims);
    }

    // HMAC-SHA-1-96 (1) has 20 octets, HMAC-SHA-256-128 (2, 3) 16 or 32.
    static Reading read_register(const Payload& payload,
                                 std::uint8_t type,
                                 std::uint8_t second,
                                 Claims& claims) noexcept {
        ByteReader reader = at(payload.bytes, 12);
        const std::uint16_t key = reader.be16();
        const std::size_t length = reader.be16();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const std::uint8_t method = key & 0xffU;  // RFC 9301: key id 1, algorithm 1
        const bool fits = (method == 1 && (length == 20 || length == 12)) ||
                          ((method == 2 || method == 3) && (length == 16 || length == 32));
        if (!fits || (type != kRegister && second != 0) || 16 + length + 12 > payload.length) {
            return Reading::contradicts;
        }
        claims.add(kControl, 3, 1, 3);
        claims.add(kKey, 13, 3, 21);
        const Reading record = read_record(payload, 16 + length, claims);
        return record == Reading::contradicts ? record : Reading::fits;
    }

    static Reading read_encapsulated(const Payload& payload, Claims& claims) noexcept {
        const Reading reading =
            inner::read_ip(payload, {4, payload.length, Fit::exact}, kPacket, claims);
        if (reading != Reading::fits) {
            return reading;
        }
        const std::uint8_t first = at(payload.bytes, 4).u8();
        const bool v4 = first >> 4U == 4;
        const std::size_t udp_at = 4 + (v4 ? (first & 15U) * std::size_t{4} : std::size_t{40});
        const std::uint8_t protocol = at(payload.bytes, v4 ? 13 : 10).u8();
        ByteReader udp = at(payload.bytes, udp_at);
        const std::uint16_t source = udp.be16();
        const std::uint16_t destination = udp.be16();
        if (!udp.ok() || protocol != kUdp || (destination != kPorts[0] && source != kPorts[0])) {
            return Reading::contradicts;
        }
        claims.add(kControl, 1, 3, 10);
        claims.add(kRecord, udp_at + (destination == kPorts[0] ? 2U : 0U), 2, 13);
        return reading;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::lisp_control
