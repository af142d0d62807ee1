// Generic Routing Encapsulation, IP protocol 47, version 0.
//
//  0 flags be16: C 8000, K 2000, S 1000; of RFC 1701 also R 4000, s 0800, recursion 0700; the rest
//    zero | 2 protocol type be16 | C or R: checksum 2, offset 2 | K: key 4 | S: sequence 4 | R:
//    routes
// Protocol types: EtherTypes; 6558 Ethernet (with K alone: NVGRE); 88BE ERSPAN I (no S) and II;
//    22EB ERSPAN III; 2001 NHRP; 883E WCCP; 8909 Cisco metadata; 00FE OSI; 0000 Cisco keepalive
//
// The protocol number is assigned to GRE alone; version 1 is PPTP's (pptp_gre). Flags and type
// leave some eight times twenty of 2^32 values; what is inside has to hold where its form is known.
// Sources: RFC 2784 §2, RFC 2890 §2, RFC 1701, RFC 7637 §3.2, RFC 2332 §5.2, RFC 3919,
// draft-foschiano-erspan-03 §4, draft-wilson-wrec-wccp-v2 §3.12, draft-smith-kandula-sxp §3.11,
// Cisco "How GRE keepalives work".
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/inner_packet.hpp"

namespace flowclass::fingerprint::gre {

inline constexpr std::uint8_t kGre = 47;

inline constexpr Rule kHeader{
    "gre.header",
    "version 0, reserved flags zero, a protocol type in use; RFC 2784 §2, RFC 2890 §2"};
inline constexpr Rule kFrame{"gre.inner_frame",
                             "the inner Ethernet frame has an EtherType in use; RFC 7637 §3.2"};
inline constexpr Rule kPacket{
    "gre.inner_packet",
    "the inner packet holds: version, length, IPv4 header checksum, or ARP; RFC 791, RFC 8200"};
inline constexpr Rule kErspan{
    "gre.erspan", "ERSPAN header of the version its type names; draft-foschiano-erspan §4"};
inline constexpr Rule kNhrp{"gre.nhrp",
                            "NHRP fixed header: IPv4 or IPv6, zeros, its own length, version 1, a "
                            "packet type in use; RFC 2332 §5.2.1"};
inline constexpr Rule kKeepalive{
    "gre.keepalive",
    "protocol type 0 with nothing behind it, alone or sent through the "
    "tunnel; Cisco GRE keepalive"};
inline constexpr Rule kOsi{"gre.osi",
                           "OSI network layer: CLNP, ES-IS or IS-IS; RFC 1701, ISO 9577"};
inline constexpr Rule kMetadata{
    "gre.cisco_metadata", "Cisco metadata, version 1, one security group tag, IPv4 behind it"};
inline constexpr Rule kKey{"gre.key", "the same key again; RFC 2890 §2.1"};
inline constexpr Rule kSequence{"gre.sequence", "a sequence number a little higher; RFC 2890 §2.2"};

inline constexpr std::array<std::string_view, 13> kVariants{"ip",
                                                            "ethernet",
                                                            "nvgre",
                                                            "erspan-1",
                                                            "erspan-2",
                                                            "erspan-3",
                                                            "nhrp",
                                                            "mpls",
                                                            "keepalive",
                                                            "wccp",
                                                            "trustsec",
                                                            "osi",
                                                            "nsh"};
inline constexpr std::array<const Rule*, 10> kRules{&kHeader,
                                                    &kFrame,
                                                    &kPacket,
                                                    &kErspan,
                                                    &kNhrp,
                                                    &kKeepalive,
                                                    &kOsi,
                                                    &kMetadata,
                                                    &kKey,
                                                    &kSequence};

inline constexpr InnerRules kInner{kFrame, kPacket};

struct Header {
    std::uint16_t flags = 0;
    std::uint16_t type = 0;
    std::uint32_t key = 0;
    std::uint32_t sequence = 0;
    std::size_t key_at = 0;  // 0: none
    std::size_t sequence_at = 0;
    std::size_t length = 0;
    std::string_view variant;
};

inline constexpr std::uint16_t kRouting = 0x4000;
inline constexpr std::uint16_t kKeyFlag = 0x2000;
inline constexpr std::uint16_t kSequenceFlag = 0x1000;

// Flags, type and the fields the flags announce.
inline Reading read_header(const Payload& payload, Header& out) noexcept {
    constexpr std::uint16_t kChecksum = 0x8000;
    constexpr std::uint16_t kZero = 0x00ff;  // reserved flags and version
    ByteReader reader(payload.bytes);
    out.flags = reader.be16();
    out.type = reader.be16();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    if ((out.flags & kZero) != 0) {
        return Reading::contradicts;
    }
    if ((out.flags & (kChecksum | kRouting)) != 0) {
        reader.skip(4);
    }
    if ((out.flags & kKeyFlag) != 0) {
        out.key_at = reader.position();
        out.key = reader.be32();
    }
    if ((out.flags & kSequenceFlag) != 0) {
        out.sequence_at = reader.position();
        out.sequence = reader.be32();
    }
    out.length = reader.position();
    return reader.ok() ? Reading::fits : ran_out(payload);
}

// ERSPAN: version 4 bits; I has no header, II one of 8 octets, III one of 12 with 8 more where its
// lowest bit (O) is set. A mirrored frame may be of any EtherType.
inline Reading read_erspan(const Payload& payload, Header& header, Claims& claims) noexcept {
    const bool third = header.type == 0x22eb;
    const bool first = !third && header.sequence_at == 0;
    std::size_t frame_at = header.length;
    header.variant = third ? "erspan-3" : first ? "erspan-1" : "erspan-2";
    if (!first) {
        ByteReader reader = at(payload.bytes, header.length);
        const std::uint8_t version = reader.u8() >> 4U;
        reader.skip(10);
        const bool optional = (reader.u8() & 1U) != 0;
        if (version != (third ? 2U : 1U)) {
            return reader.ok() ? Reading::contradicts : ran_out(payload);
        }
        claims.add(kErspan, header.length, 1, 4);
        frame_at += third ? (optional ? 20U : 12U) : 8U;
    }
    Claims frame;
    const InnerPlace place{frame_at, payload.length, Fit::open};
    if (inner::read_ethernet(payload, place, kInner, frame) == Reading::fits) {
        claims.append(frame);
    }
    return Reading::fits;
}

inline Reading read_nhrp(const Payload& payload, const Header& header, Claims& claims) noexcept {
    ByteReader reader = at(payload.bytes, header.length);
    const std::uint16_t family = reader.be16();
    const std::uint16_t protocol = reader.be16();
    const std::uint32_t snap = reader.be32();
    const std::uint8_t snap_end = reader.u8();
    reader.skip(1);  // hop count
    const std::size_t size = reader.be16();
    reader.skip(4);  // checksum, extension offset
    const std::uint8_t version = reader.u8();
    const std::uint8_t kind = reader.u8();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    constexpr std::uint8_t kMostKind = 8;  // redirect, as Cisco and draft-detienne-dmvpn have it
    if (family < 1 || family > 2 || (protocol != 0x0800 && protocol != 0x86dd) ||
        (snap | snap_end) != 0 || version != 1 || kind < 1 || kind > kMostKind ||
        size + header.length > payload.length) {
        return Reading::contradicts;
    }
    claims.add(kNhrp, header.length, 9, 40);  // two of 65536 twice, five zeros 10
    if (size + header.length == payload.length) {
        claims.add(kNhrp, header.length + 10, 2, 12);
    }
    claims.add(kNhrp, header.length + 16, 2, 12);
    return Reading::fits;
}

// A keepalive is a whole packet back to the sender, sent through the tunnel: IPv4 with GRE of type
// zero inside, and what comes back is that GRE header alone.
inline bool is_keepalive_packet(const Payload& payload, std::size_t ip_at) noexcept {
    ByteReader reader = at(payload.bytes, ip_at);
    const std::uint8_t first = reader.u8();
    const std::uint8_t protocol = at(payload.bytes, ip_at + 9).u8();
    const std::size_t gre_at = ip_at + (first & 15U) * std::size_t{4};
    ByteReader inside = at(payload.bytes, gre_at);
    const std::uint16_t flags = inside.be16();
    const std::uint16_t type = inside.be16();
    return inside.ok() && protocol == kGre && (flags & ~kKeyFlag) == 0 && type == 0 &&
           payload.length <= gre_at + 8;
}

inline Reading read_ip(const Payload& payload,
                       Header& header,
                       const InnerPlace& place,
                       Claims& claims) noexcept {
    const Reading reading = inner::read_ip(payload, place, kPacket, claims);
    if (reading == Reading::fits && is_keepalive_packet(payload, place.offset)) {
        const std::size_t words = at(payload.bytes, place.offset).u8() & 15U;
        claims.add(kKeepalive, place.offset + words * 4, 4, 20);
        header.variant = "keepalive";
    }
    return reading;
}

// Cisco metadata: EtherType of what follows, version 1, length 1, option 0001, tag.
inline Reading read_metadata(const Payload& payload, Header& header, Claims& claims) noexcept {
    header.variant = "trustsec";
    ByteReader reader = at(payload.bytes, header.length);
    const std::uint16_t type = reader.be16();
    const std::uint32_t option = reader.be32();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    if ((type != 0x0800 && type != 0x86dd) || option != 0x01010001) {
        return Reading::contradicts;
    }
    claims.add(kMetadata, header.length, 6, 40);
    return inner::read_ip(payload, {header.length + 8, payload.length, Fit::open}, kPacket, claims);
}

// A redirected packet: behind four octets of service and buckets, or at once (version 1).
inline Reading read_wccp(const Payload& payload, Header& header, Claims& claims) noexcept {
    header.variant = "wccp";
    const InnerPlace behind{header.length + 4, payload.length, Fit::open};
    const Reading second = inner::read_ip(payload, behind, kPacket, claims);
    if (second != Reading::contradicts) {
        return second;
    }
    return inner::read_ip(payload, {header.length, payload.length, Fit::open}, kPacket, claims);
}

inline Reading read_osi(const Payload& payload, Header& header, Claims& claims) noexcept {
    header.variant = "osi";
    ByteReader reader = at(payload.bytes, header.length);
    const std::uint8_t protocol = reader.u8();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    if (protocol < 0x81 || protocol > 0x83) {
        return Reading::contradicts;
    }
    claims.add(kOsi, header.length, 1, 6);
    return Reading::fits;
}

inline Reading read_content(const Payload& payload, Header& header, Claims& claims) noexcept {
    const InnerPlace place{header.length, payload.length, Fit::open};
    switch (header.type) {
        case 0x0000:
            header.variant = "keepalive";
            claims.add(kKeepalive, 2, 2, 10);
            return payload.length == header.length ? Reading::fits : Reading::contradicts;
        case 0x0800:
        case 0x86dd:
            header.variant = "ip";
            return read_ip(payload, header, place, claims);
        case 0x6558:
            header.variant = (header.flags & 0xf000U) == kKeyFlag ? "nvgre" : "ethernet";
            return inner::read_ethernet(payload, place, kInner, claims);
        case 0x88be:
        case 0x22eb:
            return read_erspan(payload, header, claims);
        case 0x2001:
            header.variant = "nhrp";
            return read_nhrp(payload, header, claims);
        case 0x8847:
        case 0x8848:
            header.variant = "mpls";
            return inner::read_mpls(payload, place, kPacket, claims);
        case 0x883e:
            return read_wccp(payload, header, claims);
        case 0x8909:
            return read_metadata(payload, header, claims);
        case 0x894f:
            header.variant = "nsh";
            return Reading::fits;
        case 0x00fe:
            return read_osi(payload, header, claims);
        default:
            return Reading::contradicts;
    }
}

// A whole payload of GRE. A content behind the kept octets leaves the header's own claim.
inline Reading read(const Payload& payload, Header& header, Claims& claims) noexcept {
    Reading reading = read_header(payload, header);
    if (reading != Reading::fits) {
        return reading;
    }
    if (header.type != 0) {
        // Thirteen bits of the flags are zeros, which are common: 8; some fifteen types: 12.
        claims.add(kHeader, 0, 4, 20);
    } else {
        claims.add(kHeader, 0, 2, 8);
    }
    if ((header.flags & kRouting) != 0) {
        return header.type == 0x0800 ? Reading::fits : Reading::contradicts;
    }
    reading = read_content(payload, header, claims);
    return reading == Reading::contradicts ? reading : Reading::fits;
}

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "gre",
        .protocol_class = ProtocolClass::overlay,
        .title = "Generic Routing Encapsulation",
        .ports = {},
        .variants = kVariants,
        .rules = kRules,
        .sources = "RFC 2784, RFC 2890, RFC 1701, RFC 7637, RFC 2332, draft-foschiano-erspan"};
    static constexpr Prefilter prefilter{.ip_protos = {kGre}, .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 3;
        Evidence evidence;
        std::array<Header, 2> last{};
        std::string_view variant;
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                Header header;
                const Reading reading = read(payload, header, claims);
                if (reading == Reading::fits) {
                    add_repeats(header, last[index_of(payload.direction)], claims);
                    last[index_of(payload.direction)] = header;
                    variant = stronger(variant, header.variant);
                }
                return reading;
            });
        if (!holds) {
            return {};
        }
        evidence.set_variant(variant);
        evidence.set_assigned_ip_protocol();
        return evidence;
    }

  private:
    static void add_repeats(const Header& now, const Header& before, Claims& claims) noexcept {
        constexpr std::uint32_t kMostStep = 64;
        if (before.length == 0) {
            return;
        }
        if (now.key_at != 0 && before.key_at == now.key_at && now.key == before.key) {
            claims.add(kKey, now.key_at, 4, 20);
        }
        if (now.sequence_at != 0 && before.sequence_at == now.sequence_at &&
            now.sequence > before.sequence && now.sequence - before.sequence <= kMostStep) {
            claims.add(kSequence, now.sequence_at, 4, 16);
        }
    }

    // What a tunnel is for says more than that it lives, and address resolution more than data.
    static std::string_view stronger(std::string_view before, std::string_view now) noexcept {
        const bool replaces = before.empty() || (before == "keepalive" && now != "keepalive") ||
                              (before == "ip" && now != "keepalive");
        return replaces && !now.empty() ? now : before;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::gre
