// GTP user plane, version 1, UDP (usually port 2152).
//
//  0 version 1 (3 bits), PT 1, zero, E S PN | 1 type | 2 length be16 of all behind octet 8
//  4 TEID be32 | with any of E, S, PN: sequence be16, N-PDU 1, next extension 1
//  Extensions: words 1, content, next 1, until next is 0.
//  Types: 1, 2 echo; 26 error indication; 31 supported extensions; 253 tunnel status;
//  254 end marker; 255 G-PDU, a user's packet
//
// Echo alone is the same octet for octet in GTP-C version 1: the port then says which.
// Sources: 3GPP TS 29.281 §5.1, §5.2, §7, §8.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/inner_packet.hpp"

namespace flowclass::fingerprint::gtp_u {

inline constexpr Rule kHeader{
    "gtp-u.header", "version 1, PT, no spare bit, a user plane type; TS 29.281 §5.1, §6.1"};
inline constexpr Rule kLength{"gtp-u.length", "the length is exact; TS 29.281 §5.1"};
inline constexpr Rule kExtension{"gtp-u.extension",
                                 "an extension header of a known type; TS 29.281 §5.2.1"};
inline constexpr Rule kPacket{
    "gtp-u.inner_packet",
    "the user's packet holds: version, length, IPv4 header checksum; RFC 791, RFC 8200"};
inline constexpr Rule kFrame{"gtp-u.inner_frame",
                             "the user's Ethernet frame has an EtherType in use; TS 29.281 §4.2.5"};
inline constexpr Rule kElement{
    "gtp-u.element", "TEID 0 or not as its type asks, and its first element; TS 29.281 §7.2, §7.3"};
inline constexpr Rule kTeid{"gtp-u.teid", "the same tunnel endpoint again; TS 29.281 §5.1"};
inline constexpr Rule kPort{"gtp-u.port", "UDP port 2152 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{2152};
inline constexpr std::array<std::string_view, 5> kVariants{
    "g-pdu", "echo", "error-indication", "end-marker", "status"};
inline constexpr std::array<const Rule*, 8> kRules{
    &kHeader, &kLength, &kExtension, &kPacket, &kFrame, &kElement, &kTeid, &kPort};

inline constexpr std::uint8_t kEcho = 1;
inline constexpr std::uint8_t kEchoReply = 2;
inline constexpr std::uint8_t kError = 26;
inline constexpr std::uint8_t kExtensions = 31;
inline constexpr std::uint8_t kStatus = 253;
inline constexpr std::uint8_t kEndMarker = 254;
inline constexpr std::uint8_t kGPdu = 255;

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "gtp-u",
                                      .protocol_class = ProtocolClass::overlay,
                                      .title = "GPRS Tunnelling Protocol, user plane",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "3GPP TS 29.281"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::range(0x30, 0x37), .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 3;
        Evidence evidence;
        std::array<std::uint32_t, 2> endpoint{};
        std::string_view variant;
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                const Reading reading = read(payload, claims);
                if (reading == Reading::fits) {
                    const std::uint32_t now = at(payload.bytes, 4).be32();
                    std::uint32_t& before = endpoint[index_of(payload.direction)];
                    if (now != 0 && now == before) {
                        claims.add(kTeid, 4, 4, 24);
                    }
                    before = now;
                    const std::string_view found = name_of(at(payload.bytes, 1).u8());
                    variant =
                        variant.empty() || variant == "echo" || found == "g-pdu" ? found : variant;
                }
                return reading;
            });
        constexpr std::uint16_t kControlPlane = 2123;
        if (!holds || (variant == "echo" && head.has_port(kControlPlane))) {
            return {};
        }
        evidence.set_variant(variant);
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static std::string_view name_of(std::uint8_t type) noexcept {
        switch (type) {
            case kGPdu:
                return "g-pdu";
            case kError:
                return "error-indication";
            case kEndMarker:
                return "end-marker";
            case kStatus:
                return "status";
            default:
                return "echo";
        }
    }

    static Reading read(const Payload& payload, Claims& claims) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t flags = reader.u8();
        const std::uint8_t type = reader.u8();
        const std::size_t length = reader.be16();
        const std::uint32_t endpoint = reader.be32();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if ((flags & 0xf8U) != 0x30 || !is_type(type) || length + 8 != payload.length) {
            return Reading::contradicts;
        }
        claims.add(kHeader, 0, 2, 10);  // five bits, seven of 256 values
        claims.add(kLength, 2, 2, 13);
        std::size_t content = 8;
        const Reading extensions = read_extensions(payload, flags, content, claims);
        if (extensions != Reading::fits) {
            return extensions;
        }
        if (type == kGPdu) {
            return endpoint == 0 ? Reading::contradicts : read_user(payload, content, claims);
        }
        return read_signal(payload, type, endpoint, content, claims);
    }

    static bool is_type(std::uint8_t type) noexcept {
        return type == kGPdu || type == kEcho || type == kEchoReply || type == kError ||
               type == kExtensions || type >= kStatus;
    }

    static bool is_extension(std::uint8_t type) noexcept {
        return type == 0x01 || type == 0x02 || type == 0x03 || type == 0x20 || type == 0x32 ||
               type == 0x40 || (type >= 0x81 && type <= 0x85) || (type >= 0xc0 && type <= 0xc2);
    }

    // Steps over the optional octets and the chain of extensions.
    static Reading read_extensions(const Payload& payload,
                                   std::uint8_t flags,
                                   std::size_t& content,
                                   Claims& claims) noexcept {
        constexpr int kMostExtensions = 4;
        if ((flags & 7U) == 0) {
            return Reading::fits;
        }
        ByteReader reader = at(payload.bytes, 11);
        std::uint8_t next = reader.u8();
        for (int count = 0; reader.ok() && (flags & 4U) != 0 && next != 0; ++count) {
            const std::uint8_t words = reader.u8();
            if (!is_extension(next) || (reader.ok() && words == 0) || count == kMostExtensions) {
                return Reading::contradicts;
            }
            if (count == 0) {
                claims.add(kExtension, 11, 1, 4);
            }
            reader.skip(words * std::size_t{4} - 2);
            next = reader.u8();
        }
        content = reader.position();
        return reader.ok() ? Reading::fits : ran_out(payload);
    }

    // IP; an Ethernet frame; or what only the tunnel's ends know.
    static Reading read_user(const Payload& payload, std::size_t content, Claims& claims) noexcept {
        const InnerPlace place{content, payload.length, Fit::exact};
        Claims packet;
        if (inner::read_ip(payload, place, kPacket, packet) == Reading::fits) {
            claims.append(packet);
            return Reading::fits;
        }
        Claims frame;
        if (inner::read_ethernet(payload, place, {kFrame, kPacket}, frame) == Reading::fits) {
            claims.append(frame);
        }
        return Reading::fits;
    }

    static Reading read_signal(const Payload& payload,
                               std::uint8_t type,
                               std::uint32_t endpoint,
                               std::size_t content,
                               Claims& claims) noexcept {
        constexpr std::uint8_t kRecovery = 14;
        constexpr std::uint8_t kEndpoint = 16;
        const std::uint8_t element = at(payload.bytes, content).u8();
        const bool empty = content == payload.length;
        switch (type) {
            case kEndMarker:
                return endpoint != 0 && empty ? Reading::fits : Reading::contradicts;
            case kStatus:
                return endpoint != 0 ? Reading::fits : Reading::contradicts;
            case kEchoReply:
            case kError:
                if (element != (type == kError ? kEndpoint : kRecovery)) {
                    return payload.bytes.size() > content ? Reading::contradicts : ran_out(payload);
                }
                claims.add(kElement, content, 1, 7);
                break;
            default:
                break;
        }
        if (endpoint != 0) {
            return Reading::contradicts;
        }
        claims.add(kElement, 4, 4, 12);  // zeros
        return Reading::fits;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::gtp_u
