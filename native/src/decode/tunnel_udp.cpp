// Tunnels over UDP. Each is tried on its ports only and opened only when every fixed field of its
// header is as its document says; the inner IP header is checked after that.
#include "decode/tunnel.hpp"

namespace flowclass::decode {

namespace {

using packet::EncapType;
using packet::SkipKind;

// RFC 4380 §5.1.1: optional authentication 00 01, optional origin 00 00, then IPv6 whose length
// chains to the end exactly. One address is of 2001:0::/32, or the source is link-local (router
// solicitations).
Step take_teredo(Slice& slice, EncapStack& stack) noexcept {
    base::ByteReader reader(slice.bytes);
    std::uint16_t mark = reader.be16();
    if (mark == 0x0001) {
        const std::uint8_t id_length = reader.u8();
        const std::uint8_t authentication_length = reader.u8();
        reader.skip(std::size_t{id_length} + authentication_length + 9);
        slice.drop(reader.position());
        mark = reader.be16();
    }
    if (mark == 0x0000) {
        reader.skip(6);
        slice.drop(8);
    }
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    base::ByteReader header(slice.bytes);
    const std::uint32_t version = header.be32() >> 28U;
    const std::uint32_t length = header.be16();
    header.skip(2);
    const std::uint64_t src = header.be64();
    header.skip(8);
    const std::uint64_t dst = header.be64();
    header.skip(8);
    if (!header.ok()) {
        return stop(slice.shortage());
    }
    constexpr std::uint64_t kTeredoPrefix = 0x20010000;
    const bool teredo = src >> 32U == kTeredoPrefix || dst >> 32U == kTeredoPrefix;
    const bool link_local = src >> 54U == 0xfe80U >> 6U;
    if (version != 6 || length + 40 != slice.wire || (!teredo && !link_local)) {
        return stop(SkipKind::malformed);
    }
    stack.push(EncapType::teredo, 0);
    return {Header::ipv6};
}

// RFC 7348 §5: flags 08, 24 zero bits, network (24), zero octet; Ethernet. With flags 88 the second
// octet may hold two more flags and the next two a group (draft-smith-vxlan-group-policy §2).
Step take_vxlan(Slice& slice, EncapStack& stack) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint32_t flags = reader.be32();
    const std::uint32_t network = reader.be32();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    constexpr std::uint32_t kPolicyFree = 0x0048ffff;
    const bool plain = flags == 0x08000000;
    const bool group_policy = (flags & ~kPolicyFree) == 0x88000000;
    if ((!plain && !group_policy) || (network & 0xffU) != 0) {
        return stop(SkipKind::malformed);
    }
    slice.drop(8);
    stack.push(EncapType::vxlan, network >> 8U);
    return {Header::ethernet};
}

// draft-ietf-nvo3-vxlan-gpe-13 §3: version 0, I and P set, next protocol in the fourth octet.
Step take_vxlan_gpe(Slice& slice, EncapStack& stack) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint32_t flags = reader.be32();
    const std::uint32_t network = reader.be32();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if (flags >> 8U != 0x0c0000 || (network & 0xffU) != 0) {
        return stop(SkipKind::malformed);
    }
    slice.drop(8);
    stack.push(EncapType::vxlan, network >> 8U);
    switch (flags & 0xffU) {
        case 1:
            return {Header::ipv4};
        case 2:
            return {Header::ipv6};
        case 3:
            return {Header::ethernet};
        case 5:
            return {Header::mpls};
        default:
            return stop(SkipKind::malformed);
    }
}

// RFC 8926 §3.4: version (2) and option words (6), O and C and six zero bits, protocol, network
// (24), zero octet, options.
Step take_geneve(Slice& slice, EncapStack& stack) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint8_t version_options = reader.u8();
    const std::uint8_t flags = reader.u8();
    const std::uint16_t ether_type = reader.be16();
    const std::uint32_t network = reader.be32();
    reader.skip((version_options & 0x3fU) * std::size_t{4});
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if (version_options >> 6U != 0 || (flags & 0x3fU) != 0 || (network & 0xffU) != 0) {
        return stop(SkipKind::malformed);
    }
    slice.drop(reader.position());
    stack.push(EncapType::geneve, network >> 8U);
    if (ether_type == static_cast<std::uint16_t>(EtherType::transparent_ethernet)) {
        return {Header::ethernet};
    }
    return from_ether_type(ether_type);
}

// 3GPP TS 29.281 §5.1: version 1, PT 1, spare 0, E S PN; type 255 (G-PDU); length of all behind the
// first 8 octets; TEID. Any of E, S, PN brings four octets; E a chain of extensions in units of 4
// octets that ends with type 0.
Step take_gtp_u(Slice& slice, EncapStack& stack) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint8_t flags = reader.u8();
    const std::uint8_t type = reader.u8();
    const std::uint32_t length = reader.be16();
    const std::uint32_t endpoint = reader.be32();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    constexpr std::uint8_t kGPdu = 255;
    if ((flags & 0xf8U) != 0x30 || type != kGPdu || length + 8 != slice.wire) {
        return stop(SkipKind::malformed);
    }
    if ((flags & 7U) != 0) {
        reader.skip(3);
        std::uint8_t next = reader.u8();
        if ((flags & 4U) == 0) {
            next = 0;
        }
        while (reader.ok() && next != 0) {
            const std::size_t words = reader.u8();
            if (words == 0) {
                return stop(SkipKind::malformed);
            }
            reader.skip(words * 4 - 2);
            next = reader.u8();
        }
    }
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    slice.drop(reader.position());
    stack.push(EncapType::gtp_u, endpoint);
    return {Header::ip};
}

// RFC 2661 §3.1: data has T clear and version 2; L, S and O announce length, sequence numbers and
// offset padding.
Step take_l2tp(Slice& slice, EncapStack& stack) noexcept {
    constexpr std::uint32_t kControlOrReserved = 0x8000U | 0x34f0U;
    constexpr std::uint32_t kLength = 0x4000;
    constexpr std::uint32_t kSequence = 0x0800;
    constexpr std::uint32_t kOffset = 0x0200;
    base::ByteReader reader(slice.bytes);
    const std::uint32_t flags = reader.be16();
    const std::uint32_t length = (flags & kLength) != 0 ? reader.be16() : slice.wire;
    const std::uint32_t session = reader.be32();  // tunnel (16), session (16)
    if ((flags & kSequence) != 0) {
        reader.skip(4);
    }
    if ((flags & kOffset) != 0) {
        reader.skip(reader.be16());
    }
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if ((flags & 15U) != 2 || (flags & kControlOrReserved) != 0 || length > slice.wire ||
        length < reader.position()) {
        return stop(SkipKind::malformed);
    }
    slice.limit(length);
    slice.drop(reader.position());
    stack.push(EncapType::l2tp, session);
    return {Header::ppp};
}

}  // namespace

Step open_udp_tunnel(Tunnel tunnel, Slice& slice, EncapStack& stack) noexcept {
    switch (tunnel) {
        case Tunnel::teredo:
            return take_teredo(slice, stack);
        case Tunnel::vxlan:
            return take_vxlan(slice, stack);
        case Tunnel::vxlan_gpe:
            return take_vxlan_gpe(slice, stack);
        case Tunnel::geneve:
            return take_geneve(slice, stack);
        case Tunnel::gtp_u:
            return take_gtp_u(slice, stack);
        case Tunnel::l2tp:
            return take_l2tp(slice, stack);
        default:
            return stop(SkipKind::malformed);
    }
}

}  // namespace flowclass::decode
