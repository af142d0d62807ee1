// Locator/ID Separation Protocol: data (UDP 4341) and control (UDP 4342).
//
//  Data: 0 N 80, L 40, E 20, V 10, I 08, R 04, key 03 | 1 nonce or map versions be24
//        4 instance and locator status be32 | IPv4 or IPv6
//  Control: 0 type (4 bits): 1 map request, 2 reply, 3 register, 4 notify, 5 its acknowledgment,
//        8 encapsulated
//    request:  1 flags | 2 replies - 1 | 3 records | 4 nonce 8 | 12 source EID: family be16,
//    address reply:    1 flags, zeros | 3 records | 4 nonce 8 | 12 record register, notify: 3
//    records | 4 nonce 8 | 12 key id be16 | 14 authentication length be16 record: TTL be32 |
//    locators 1 | mask 1 | flags be16 | version be16 | EID family be16 encapsulated: 1 zeros 3 | 4
//    IP with UDP to port 4342
//
// Data has hardly an octet of its own: the inner packet has to hold.
// Sources: RFC 6830 §5.3, §6.1; RFC 9300 §5.3; RFC 9301 §5.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/inner_packet.hpp"

namespace flowclass::fingerprint::lisp {

inline constexpr Rule kData{
    "lisp.data",
    "flags that go with each other, nonce and instance zero where unused; RFC 9300 §5.3"};
inline constexpr Rule kPacket{
    "lisp.inner_packet",
    "the inner packet holds: version, length, IPv4 header checksum; RFC 791, RFC 8200"};
inline constexpr Rule kControl{
    "lisp.control", "type, zeros and record count of a control message; RFC 9301 §5.2 to §5.8"};
inline constexpr Rule kRecord{
    "lisp.record", "address family, mask and locators of the first record; RFC 9301 §5.4"};
inline constexpr Rule kKey{"lisp.authentication",
                           "key id and the length of its authentication data; RFC 9301 §5.6"};
inline constexpr Rule kNonce{"lisp.nonce", "the answer has the question's nonce; RFC 9301 §5.4"};
inline constexpr Rule kPort{"lisp.port", "UDP port 4341 or 4342 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{4341, 4342};
inline constexpr std::array<std::string_view, 2> kVariants{"data", "control"};
inline constexpr std::array<const Rule*, 7> kRules{
    &kData, &kPacket, &kControl, &kRecord, &kKey, &kNonce, &kPort};

inline constexpr std::uint8_t kRequest = 1;
inline constexpr std::uint8_t kReply = 2;
inline constexpr std::uint8_t kRegister = 3;
inline constexpr std::uint8_t kNotifyAnswer = 5;
inline constexpr std::uint8_t kEncapsulated = 8;

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "lisp",
                                      .protocol_class = ProtocolClass::overlay,
                                      .title = "Locator/ID Separation Protocol",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 6830, RFC 9300, RFC 9301"};
    // Data: flags with N or V or none, with or without L, E, I. Control: types 1 to 5 and 8.
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0x00,
                                                                     0x08,
                                                                     0x10,
                                                                     0x18,
                                                                     0x20,
                                                                     0x28,
                                                                     0x40,
                                                                     0x48,
                                                                     0x50,
                                                                     0x58,
                                                                     0x80,
                                                                     0x84,
                                                                     0x88,
                                                                     0xa0,
                                                                     0xa8,
                                                                     0xc0,
                                                                     0xc8,
                                                                     0xe0,
                                                                     0xe8}) |
                                                        ByteSet::range(0x10, 0x17) |
                                                        ByteSet::range(0x30, 0x3f) |
                                                        ByteSet::of({0x24, 0x2c}),
                                         .least_length = 24};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 3;
        Evidence evidence;
        std::array<std::uint64_t, 2> nonces{};
        std::string_view variant;
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                Claims data;
                const Reading reading = read_data(payload, data);
                if (reading == Reading::fits) {
                    claims.append(data);
                    variant = "data";
                    return reading;
                }
                const Reading control = read_control(payload, claims);
                if (control != Reading::fits) {
                    return control == Reading::cut ? control : reading;
                }
                variant = "control";
                const std::uint64_t nonce = at(payload.bytes, 4).be64();
                const std::uint8_t type = at(payload.bytes, 0).u8() >> 4U;
                if (type != kEncapsulated) {
                    if (nonce != 0 && nonce == nonces[index_of(opposite(payload.direction))]) {
                        claims.add(kNonce, 4, 8, 50);
                    }
                    nonces[index_of(payload.direction)] = nonce;
                }
                return control;
            });
        if (!holds) {
            return {};
        }
        evidence.set_variant(variant);
        if (head.has_port(kPorts[0]) || head.has_port(kPorts[1])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    // N excludes V, E asks for N; without N and V the nonce is zero; I: an instance of 24 bits.
    static Reading read_data(const Payload& payload, Claims& claims) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t flags = reader.u8();
        const std::uint32_t nonce = reader.be24();
        const std::uint32_t status = reader.be32();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const bool has_nonce = (flags & 0x80U) != 0;
        const bool has_versions = (flags & 0x10U) != 0;
        const bool has_status = (flags & 0x48U) != 0;
        if ((has_nonce && has_versions) || ((flags & 0x20U) != 0 && !has_nonce) ||
            (flags & 0x07U) != 0 || (!has_nonce && !has_versions && nonce != 0) ||
            (!has_status && status != 0)) {
            return Reading::contradicts;
        }
        // Eight octets before an IP packet is what many tunnels have: its 32 bits count 24.
        constexpr double kMostInner = 24;
        Claims packet;
        const Reading reading =
            inner::read_ip(payload, {8, payload.length, Fit::exact}, kPacket, packet);
        if (reading == Reading::fits) {
            claims.append(packet, kMostInner);
            // Three reserved bits; zeros, which are common, are worth little.
            claims.add(kData, 0, 1, 3);
            if (!has_nonce && !has_versions) {
                claims.add(kData, 1, 3, 5);
            }
        }
        return reading;
    }

    static Reading read_control(const Payload& payload, Claims& claims) noexcept {
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
        if (!udp.ok() || protocol != kUdp || (destination != kPorts[1] && source != kPorts[1])) {
            return Reading::contradicts;
        }
        claims.add(kControl, 1, 3, 10);
        claims.add(kRecord, udp_at + (destination == kPorts[1] ? 2U : 0U), 2, 13);
        return reading;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::lisp
