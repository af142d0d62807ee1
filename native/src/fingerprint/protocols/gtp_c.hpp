// GTP control plane, versions 1 and 2, UDP (usually port 2123).
//
//  v1: 0 version 1, PT 1, zero, E S PN (S set) | 1 type | 2 length be16 of all behind octet 8
//      4 TEID | 8 sequence be16 | 10 N-PDU | 11 next extension | 12 elements
//  v2: 0 version 2, P, T, MP | 1 type | 2 length be16 of all behind octet 4 | T: 4 TEID
//      sequence be24 | spare 1 | elements: type 1, length be16, spare (4) and instance (4), value
//  P: another message follows in the same datagram.
//
// Echo of version 1 alone is the same octet for octet in GTP-U: the port then says which.
// Sources: 3GPP TS 29.060 §6, §7.1, §7.7; TS 29.274 §5.1, §5.5.1, §6.1, §8.2.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/claims.hpp"
#include "fingerprint/gtp_elements.hpp"

namespace flowclass::fingerprint::gtp_c {

inline constexpr Rule kHeader{
    "gtp-c.header",
    "version and flags of a control message, a type in use; TS 29.060 §6, 29.274 §5.1"};
inline constexpr Rule kLength{"gtp-c.length",
                              "the length is exact; TS 29.060 §6, TS 29.274 §5.5.1"};
inline constexpr Rule kElements{
    "gtp-c.elements",
    "information elements chain inside the message; TS 29.060 §7.7, TS 29.274 §8.2.1"};
inline constexpr Rule kSequence{"gtp-c.sequence",
                                "the answer has the question's sequence number; TS 29.274 §7.6"};
inline constexpr Rule kPort{"gtp-c.port", "UDP port 2123 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{2123};
inline constexpr std::array<std::string_view, 2> kVariants{"v1", "v2"};
inline constexpr std::array<const Rule*, 5> kRules{
    &kHeader, &kLength, &kElements, &kSequence, &kPort};

struct Message {
    std::string_view variant;
    std::uint8_t type = 0;
    std::uint32_t sequence = 0;
    std::size_t sequence_at = 0;
    std::size_t sequence_length = 0;
};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "gtp-c",
                                      .protocol_class = ProtocolClass::overlay,
                                      .title = "GPRS Tunnelling Protocol, control plane",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "3GPP TS 29.060, TS 29.274"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes =
            ByteSet::of({0x32, 0x33, 0x36, 0x37, 0x40, 0x44, 0x48, 0x4c, 0x50, 0x58, 0x5c}),
        .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 4;
        Evidence evidence;
        std::array<Message, 2> last{};
        std::string_view variant;
        bool only_echo = true;
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                Message now;
                const Reading reading = at(payload.bytes, 0).u8() >> 5U == 1
                                            ? read_v1(payload, now, claims)
                                            : read_v2(payload, now, claims);
                if (reading == Reading::fits) {
                    const Message& other = last[index_of(opposite(payload.direction))];
                    if (other.sequence_at != 0 && now.sequence == other.sequence &&
                        now.type == other.type + 1) {
                        claims.add(kSequence,
                                   now.sequence_at,
                                   now.sequence_length,
                                   now.sequence_length == 3 ? 16 : 10);
                    }
                    last[index_of(payload.direction)] = now;
                    variant = now.variant;
                    only_echo = only_echo && is_echo(now);
                }
                return reading;
            });
        constexpr std::uint16_t kUserPlane = 2152;
        if (!holds || (only_echo && head.has_port(kUserPlane))) {
            return {};
        }
        evidence.set_variant(variant);
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static bool is_echo(const Message& message) noexcept {
        return message.variant == "v1" && message.type <= 2;
    }

    // TS 29.060 table 1; 26, 254 and 255 are the user plane's.
    static bool is_v1_type(std::uint8_t type) noexcept {
        return (type >= 1 && type <= 7) || (type >= 16 && type <= 37 && type != 26) ||
               (type >= 48 && type <= 61) || type == 70 || (type >= 96 && type <= 105) ||
               (type >= 112 && type <= 121) || type == 128 || type == 129 || type == 240 ||
               type == 241;
    }

    // TS 29.274 table 6.1-1, and the Sv interface's (TS 29.280).
    static bool is_v2_type(std::uint8_t type) noexcept {
        return (type >= 1 && type <= 3) || (type >= 25 && type <= 41) ||
               (type >= 64 && type <= 73) || (type >= 95 && type <= 103) ||
               (type >= 128 && type <= 141) || (type >= 149 && type <= 183) ||
               (type >= 199 && type <= 201) || type == 211 || type == 212 ||
               (type >= 231 && type <= 240);
    }

    // A known type of fixed length 2 (31 of 128); a length inside the message 9; version 2 has four
    // spare bits more; an end that meets the message's 6.
    static void add_elements(const gtp::Chain& chain, double bits, Claims& claims) noexcept {
        constexpr std::size_t kMostCounted = 5;
        for (std::size_t index = 0; index < chain.count && index < kMostCounted; ++index) {
            const gtp::Element& element = chain.elements[index];
            const bool last = chain.complete && index + 1 == chain.count;
            if (element.fixed) {
                claims.add(kElements, element.offset, 1, last ? 6 : 2);
            } else {
                claims.add(kElements, element.offset + 1, 2, last ? bits + 4 : bits);
            }
        }
    }

    static Reading read_v1(const Payload& payload, Message& message, Claims& claims) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t flags = reader.u8();
        message.type = reader.u8();
        const std::size_t length = reader.be16();
        const std::uint32_t endpoint = reader.be32();
        message.sequence = reader.be16();
        reader.skip(1);
        const std::uint8_t extension = reader.u8();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if ((flags & 0xfaU) != 0x32 || !is_v1_type(message.type) || length + 8 != payload.length) {
            return Reading::contradicts;
        }
        message.variant = "v1";
        message.sequence_at = 8;
        message.sequence_length = 2;
        claims.add(kHeader, 0, 2, 8);  // six bits, some 75 of 256 types
        claims.add(kLength, 2, 2, 13);
        if (is_echo(message)) {
            if (endpoint != 0) {
                return Reading::contradicts;
            }
            claims.add(kHeader, 4, 4, 12);  // zeros
        }
        if ((flags & 4U) != 0 && extension != 0) {
            return Reading::fits;
        }
        const gtp::Chain chain = gtp::walk_v1(payload, 12, payload.length);
        if (chain.reading == Reading::fits) {
            add_elements(chain, 9, claims);
        }
        return chain.reading;
    }

    static Reading read_v2(const Payload& payload, Message& message, Claims& claims) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t flags = reader.u8();
        message.type = reader.u8();
        const std::size_t length = reader.be16();
        if ((flags & 8U) != 0) {
            reader.skip(4);
        }
        message.sequence_at = reader.position();
        message.sequence_length = 3;
        message.sequence = reader.be24();
        reader.skip(1);
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const bool piggyback = (flags & 0x10U) != 0;
        const std::size_t end = length + 4;
        if ((flags & 0xe3U) != 0x40 || !is_v2_type(message.type) || end < reader.position() ||
            end > payload.length || (end != payload.length && !piggyback)) {
            return Reading::contradicts;
        }
        message.variant = "v2";
        claims.add(kHeader, 0, 2, 6);  // five bits, some 110 of 256 types
        claims.add(kLength, 2, 2, piggyback ? 8 : 13);
        const std::size_t begin = reader.position();
        const gtp::Chain chain = gtp::walk_v2(payload, begin, end);
        if (chain.reading != Reading::fits) {
            return chain.reading;
        }
        constexpr std::uint8_t kRecovery = 3;
        constexpr std::uint8_t kEchoReply = 2;
        if (message.type <= kEchoReply && chain.count > 0) {
            if (at(payload.bytes, begin).u8() != kRecovery) {
                return Reading::contradicts;
            }
            claims.add(kElements, begin, 1, 7);
        }
        add_elements(chain, 10, claims);
        return Reading::fits;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::gtp_c
