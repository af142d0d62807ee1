// VXLAN (RFC 7348 §5), with group policy (draft-smith-vxlan-group-policy) and as generic protocol
// extension (draft-ietf-nvo3-vxlan-gpe), over UDP.
//
//  0        1               3            4            7          8
// | flags  | reserved 0    | 0          | VNI be24   | 0        | inner Ethernet frame
//   RFC 7348: flags 08. Group policy: flags 88 (08 is seen), policy flags at 1, group be16 at 2.
//   GPE: flags 0C or 0D, next protocol at 3: 1 IPv4, 2 IPv6, 3 Ethernet, 4 NSH, 5 MPLS
// Inner Ethernet: destination 8, source 14, EtherType 20, its payload 22.
//
// The source port is a hash of the inner flow, so mostly one direction is all there is.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint::vxlan {

inline constexpr Rule kHeader{"vxlan.header", "flags 08, reserved octets zero; RFC 7348 §5"};
inline constexpr Rule kGroup{
    "vxlan.group_policy",
    "flags 88 or 08 with policy bits, reserved bits zero; draft-smith-vxlan-group-policy §2.1"};
inline constexpr Rule kGpe{
    "vxlan.gpe",
    "flags 0C or 0D, reserved octets zero, next protocol 1 to 5; draft-ietf-nvo3-vxlan-gpe §3.1"};
inline constexpr Rule kEtherType{"vxlan.inner_ethertype",
                                 "known EtherType, source not multicast; RFC 7348 §5, IEEE 802.3"};
inline constexpr Rule kInnerIp{
    "vxlan.inner_ip", "inner IP version and a length that fits; RFC 791 §3.1, RFC 8200 §3"};
inline constexpr Rule kInnerNsh{
    "vxlan.inner_nsh",
    "inner service header of version 0, metadata type 1 or 2, a fitting length; RFC 8300 §2.2"};
inline constexpr Rule kVni{"vxlan.vni", "the same network identifier again; RFC 7348 §5"};
inline constexpr Rule kPort{"vxlan.port", "UDP port 4789, 4790 or 8472 on either side"};

inline constexpr std::array<std::uint16_t, 3> kPorts{4789, 4790, 8472};
inline constexpr std::array<std::string_view, 3> kVariants{"vxlan", "gbp", "gpe"};
inline constexpr std::array<const Rule*, 8> kRules{
    &kHeader, &kGroup, &kGpe, &kEtherType, &kInnerIp, &kInnerNsh, &kVni, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "vxlan",
                                      .protocol_class = ProtocolClass::overlay,
                                      .title = "Virtual eXtensible Local Area Network",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 7348, draft-ietf-nvo3-vxlan-gpe"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0x08, 0x88, 0x0c, 0x0d}),
                                         .least_length = 8 + 14};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 4;
        Evidence evidence;
        Tally tally;
        std::size_t said = 0;
        std::uint32_t vni = UINT32_MAX;
        for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
            const Payload payload = head.payload(entry);
            if (payload.length == 0) {
                continue;
            }
            const Header header = read(payload);
            tally.add(header.reading);
            if (header.reading != Reading::fits || said++ >= kMostPackets) {
                continue;
            }
            add_form(evidence, head, payload, header);
            const std::uint32_t now = at(payload.bytes, 4).be24();
            if (now == vni && said == 2) {
                evidence.add(kVni, head, entry, 4, 3, 20);
            }
            vni = now;
        }
        if (!tally.holds() || evidence.empty()) {
            return {};
        }
        if (head.has_port(4789) || head.has_port(4790) || head.has_port(8472)) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    enum class Inner : std::uint8_t { ethernet, ipv4, ipv6, nsh, other };

    struct Header {
        Reading reading = Reading::contradicts;
        const Rule* rule = nullptr;
        Inner inner = Inner::ethernet;
        std::size_t ip_at = 0;  // 0: no inner IP header to look at
        bool ethernet = false;
    };

    static Header read(const Payload& payload) noexcept {
        Header header;
        ByteReader reader(payload.bytes);
        const std::uint8_t flags = reader.u8();
        const std::uint8_t second = reader.u8();
        const std::uint8_t third = reader.u8();
        const std::uint8_t fourth = reader.u8();
        reader.skip(3);
        const std::uint8_t last = reader.u8();
        if (!reader.ok()) {
            header.reading = ran_out(payload);
            return header;
        }
        if (last != 0) {
            return header;
        }
        if (flags == 0x08 && (second | third | fourth) == 0) {
            header.rule = &kHeader;
        } else if ((flags & ~0x80U) == 0x08 && (second & ~0x48U) == 0) {
            header.rule = &kGroup;
        } else if ((flags & ~1U) == 0x0c && (second | third) == 0 && fourth >= 1 && fourth <= 5) {
            header.rule = &kGpe;
            header.inner = fourth == 1   ? Inner::ipv4
                           : fourth == 2 ? Inner::ipv6
                           : fourth == 3 ? Inner::ethernet
                           : fourth == 4 ? Inner::nsh
                                         : Inner::other;
        } else {
            return header;
        }
        const bool fits = header.inner == Inner::ethernet ? read_ethernet(reader, header)
                          : header.inner == Inner::nsh    ? has_nsh(payload)
                          : header.inner == Inner::other  ? true
                                                          : has_ip(payload, header, 8);
        header.reading = !reader.ok() ? ran_out(payload)
                         : fits && (header.ip_at == 0 || has_ip(payload, header, header.ip_at))
                             ? Reading::fits
                             : Reading::contradicts;
        return header;
    }

    static bool read_ethernet(ByteReader& reader, Header& header) noexcept {
        reader.skip(6);
        const std::uint8_t source = reader.u8();
        reader.skip(5);
        const std::uint16_t type = reader.be16();
        header.ethernet = true;
        if (type == 0x0800 || type == 0x86dd) {
            header.inner = type == 0x0800 ? Inner::ipv4 : Inner::ipv6;
            header.ip_at = 22;
        }
        return (source & 1U) == 0 && is_ether_type(type);
    }

    // IPv4, ARP, VLAN, IPv6, slow protocols, MPLS, provider VLAN, LLDP, TRILL, or an 802.3 length.
    static bool is_ether_type(std::uint16_t type) noexcept {
        return type == 0x0800 || type == 0x0806 || type == 0x8100 || type == 0x86dd ||
               type == 0x8809 || type == 0x8847 || type == 0x88a8 || type == 0x88cc ||
               type == 0x22f3 || (type >= 3 && type <= 1500);
    }

    // Version, and a length within the datagram: an Ethernet frame may be padded, not cut short.
    static bool has_ip(const Payload& payload, Header& header, std::size_t offset) noexcept {
        ByteReader reader = at(payload.bytes, offset);
        const std::uint8_t version = reader.u8() >> 4U;
        reader.skip(1);
        const std::size_t at2 = reader.be16();
        const std::size_t at4 = reader.be16();
        header.ip_at = offset;
        if (!reader.ok()) {
            header.ip_at = 0;
            return payload.bytes.size() < payload.length;
        }
        if (header.inner == Inner::ipv4) {
            // A zero total length is left by segmentation offload.
            return version == 4 && (at2 == 0 || at2 >= 20) && offset + at2 <= payload.length;
        }
        return version == 6 && offset + 40 + at4 <= payload.length;
    }

    // Version 0; length in words; four reserved bits and metadata type, of
    // which type 1 is 6 words long; next protocol 1 to 5 (IANA "NSH Next Protocol").
    static bool has_nsh(const Payload& payload) noexcept {
        ByteReader reader = at(payload.bytes, 8);
        const std::uint16_t start = reader.be16();
        const std::uint8_t metadata = reader.u8();
        const std::uint8_t next = reader.u8();
        const std::size_t words = start & 0x3fU;
        return reader.ok() && (start & 0xc000U) == 0 && words >= 2 &&
               8 + words * 4 <= payload.length && next >= 1 && next <= 5 &&
               (metadata == 2 || (metadata == 1 && words == 6));
    }

    static void add_form(Evidence& evidence,
                         const FlowHead& head,
                         const Payload& payload,
                         const Header& header) noexcept {
        // Flags 8 and four zero octets, which are common: 20 of 32; group policy frees two of them
        // and two bits; GPE adds its next protocol.
        const bool plain = header.rule == &kHeader;
        const bool group = header.rule == &kGroup;
        evidence.set_variant(plain ? "vxlan" : group ? "gbp" : "gpe");
        evidence.add(*header.rule, head, payload.entry, 0, 8, plain ? 28 : group ? 18 : 28);
        if (header.ethernet) {
            // Nine types, or 1500 lengths: 5; one bit of the source; IP's own types more.
            const bool ip = header.inner == Inner::ipv4 || header.inner == Inner::ipv6;
            evidence.add(kEtherType, head, payload.entry, 14, 8, ip ? 14 : 6);
        }
        if (header.inner == Inner::nsh) {
            // Two bits, the metadata type 7, next protocol 5.
            evidence.add(kInnerNsh, head, payload.entry, 8, 4, 14);
        }
        if (header.ip_at != 0) {
            // Version 4, length bounded to the datagram: 8.
            evidence.add(kInnerIp, head, payload.entry, header.ip_at, 6, 12);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::vxlan
