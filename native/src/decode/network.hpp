// The IP headers. Takes: a slice at an IPv4 or IPv6 header. Gives: addresses, lengths, upper
// protocol and fragment place in the layer; the slice then is the IP payload, as long as the header
// says.
#pragma once

#include <cstdint>

#include "decode/slice.hpp"

namespace flowclass::decode {

// RFC 8200 and its successors define a handful; a hostile chain ends here.
inline constexpr std::size_t kMaxExtensionHeaders = 16;

enum class IpProtocol : std::uint8_t {
    hop_by_hop = 0,
    icmp = 1,
    ipv4 = 4,
    tcp = 6,
    udp = 17,
    ipv6 = 41,
    ipv6_routing = 43,
    ipv6_fragment = 44,
    gre = 47,
    esp = 50,
    ah = 51,
    icmpv6 = 58,
    ipv6_no_next = 59,
    ipv6_destination = 60,
    etherip = 97,
    sctp = 132,
    mobility = 135,
    udp_lite = 136,
    mpls_in_ip = 137,
    hip = 139,
    shim6 = 140,
};

// A header that leaves its length to the frame is believed so far: Linux builds offloaded packets
// of at most 8 * 65535 octets (GSO_MAX_SIZE), and capture records lie about more.
inline constexpr std::uint32_t kMaxOffload = 8 * 65535;

// What the layer does not hold but decode needs.
struct IpFacts {
    std::uint32_t fragment_id = 0;
    bool length_beyond_frame = false;
    bool extension_malformed = false;
};

constexpr bool is_extension_header(std::uint8_t next) noexcept {
    switch (static_cast<IpProtocol>(next)) {
        case IpProtocol::hop_by_hop:
        case IpProtocol::ipv6_routing:
        case IpProtocol::ipv6_fragment:
        case IpProtocol::ipv6_destination:
        case IpProtocol::mobility:
        case IpProtocol::hip:
        case IpProtocol::shim6:
            return true;
        default:
            return false;
    }
}

// Walks the chain that begins with `next`; sets ip_proto and fragment. AH is not walked over: it is
// a flow's protocol.
void take_extension_headers(std::uint8_t next,
                            Slice& slice,
                            packet::FlowLayer& layer,
                            IpFacts& facts) noexcept;

// True with SkipKind::none when an IP header of this version stands here and all it says holds on
// the wire: version, lengths, and for IPv4 the header checksum. This is what makes a tunnel's
// content more than a guess.
packet::SkipKind check_inner_ip(const Slice& slice, std::uint8_t version) noexcept;

// RFC 791 §3.1. The checksum is not looked at: offloading leaves it unset on the sending host.
[[gnu::always_inline]] inline packet::SkipKind take_ipv4(Slice& slice,
                                                         packet::FlowLayer& layer,
                                                         IpFacts& facts) noexcept {
    base::ByteReader reader(slice.bytes);
    const base::Bytes fixed = reader.bytes(20);
    if (fixed.size() != 20) [[unlikely]] {
        return slice.shortage();
    }
    base::ByteReader header(fixed.first<20>());
    const std::uint8_t version_length = header.u8();
    header.skip(1);
    std::uint32_t total = header.be16();
    const std::uint16_t id = header.be16();
    const std::uint32_t fragment = header.be16();
    header.skip(1);
    layer.ip_proto = header.u8();
    header.skip(2);
    layer.src = base::IpAddress::v4(header.be32());
    layer.dst = base::IpAddress::v4(header.be32());

    const std::uint32_t header_length = (version_length & 15U) * 4;
    if (total == 0) [[unlikely]] {
        total = slice.wire;  // segmentation offload: more than 16 bits can say
    }
    if (version_length >> 4U != 4 || header_length < 20 || total < header_length ||
        total > kMaxOffload) [[unlikely]] {
        return packet::SkipKind::malformed;
    }
    if (header_length > slice.bytes.size()) [[unlikely]] {
        return slice.shortage();
    }
    facts.length_beyond_frame = total > slice.wire;
    facts.fragment_id = id;
    layer.ip_length = total;
    slice.set_length(total);
    slice.drop(header_length);
    constexpr std::uint32_t kMoreFragments = 0x2000;
    constexpr std::uint32_t kOffset = 0x1fff;
    if ((fragment & (kMoreFragments | kOffset)) != 0) [[unlikely]] {
        layer.fragment =
            (fragment & kOffset) != 0 ? packet::Fragment::later : packet::Fragment::first;
    }
    return packet::SkipKind::none;
}

// RFC 8200 §3.
[[gnu::always_inline]] inline packet::SkipKind take_ipv6(Slice& slice,
                                                         packet::FlowLayer& layer,
                                                         IpFacts& facts) noexcept {
    base::ByteReader reader(slice.bytes);
    const base::Bytes fixed = reader.bytes(40);
    if (fixed.size() != 40) [[unlikely]] {
        return slice.shortage();
    }
    base::ByteReader header(fixed.first<40>());
    const std::uint32_t version = header.be32() >> 28U;
    std::uint32_t length = header.be16();
    const std::uint8_t next = header.u8();
    header.skip(1);
    const std::uint64_t src_high = header.be64();
    layer.src = base::IpAddress::v6(src_high, header.be64());
    const std::uint64_t dst_high = header.be64();
    layer.dst = base::IpAddress::v6(dst_high, header.be64());
    if (version != 6) [[unlikely]] {
        return packet::SkipKind::malformed;
    }
    if (length == 0 && next != static_cast<std::uint8_t>(IpProtocol::ipv6_no_next)) [[unlikely]] {
        length = slice.wire - 40;  // a jumbogram (RFC 2675) or segmentation offload
        if (length > kMaxOffload) {
            return packet::SkipKind::malformed;
        }
    }
    facts.length_beyond_frame = length > slice.wire - 40;
    layer.ip_length = 40 + length;
    slice.drop(40);
    slice.set_length(length);
    layer.ip_proto = next;
    if (is_extension_header(next)) [[unlikely]] {
        take_extension_headers(next, slice, layer, facts);
    }
    return packet::SkipKind::none;
}

}  // namespace flowclass::decode
