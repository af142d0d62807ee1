// One function a link header, one row a link type.
#include "decode/link.hpp"

#include <algorithm>
#include <array>

namespace flowclass::decode {

namespace {

using packet::LinkType;
using packet::SkipKind;

Step take_ethernet_link(Slice& /*slice*/) noexcept {
    return {Header::ethernet};
}
Step take_ppp_link(Slice& /*slice*/) noexcept {
    return {Header::ppp};
}
Step take_raw(Slice& /*slice*/) noexcept {
    return {Header::ip};
}
Step take_raw_ipv4(Slice& /*slice*/) noexcept {
    return {Header::ipv4};
}
Step take_raw_ipv6(Slice& /*slice*/) noexcept {
    return {Header::ipv6};
}

// AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on
// macOS.
Step from_address_family(std::uint32_t family) noexcept {
    switch (family) {
        case 2:
            return {Header::ipv4};
        case 10:
        case 24:
        case 28:
        case 30:
            return {Header::ipv6};
        default:
            return stop(SkipKind::address_family, family);
    }
}

// NULL is in the byte order of the capturing machine, LOOP in network order; families are small
// numbers in either.
Step take_null(Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint32_t family = reader.be32();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    slice.drop(4);
    return from_address_family(family > 0xffffU ? __builtin_bswap32(family) : family);
}

// 0x0004 is LLC; 0x0001 is IPX in bare IEEE 802.3, which we do not decode.
Step from_sll_protocol(std::uint16_t protocol) noexcept {
    return protocol == 0x0004 ? Step{Header::llc} : from_ether_type(protocol);
}

// Packet type, ARPHRD, address length (2 each), address (8), protocol (2).
Step take_sll(Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    reader.skip(14);
    const std::uint16_t protocol = reader.be16();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    slice.drop(16);
    return from_sll_protocol(protocol);
}

// Protocol (2), reserved (2), interface (4), ARPHRD (2), packet type (1), address length (1),
// address (8).
Step take_sll2(Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint16_t protocol = reader.be16();
    reader.skip(18);
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    slice.drop(20);
    return from_sll_protocol(protocol);
}

// Cisco HDLC: address 0f or 8f, control 0, EtherType.
Step take_cisco_hdlc(Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    reader.skip(2);
    const std::uint16_t ether_type = reader.be16();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    slice.drop(4);
    return from_ether_type(ether_type);
}

// NFLOG: family, version 0, resource; then attributes {length, type} in the byte order of the
// capturing machine, padded to four octets; type 9 is the packet. The first attribute's type tells
// the order: types are small numbers.
Step take_nflog(Slice& slice) noexcept {
    constexpr std::uint16_t kMaxType = 0xff;
    constexpr std::uint16_t kPayload = 9;
    base::ByteReader reader(slice.bytes);
    const std::uint8_t family = reader.u8();
    const std::uint8_t version = reader.u8();
    reader.skip(2);
    if (reader.ok() && version != 0) {
        return stop(SkipKind::malformed);
    }
    const bool little = base::at(slice.bytes, 6).le16() <= kMaxType;
    while (reader.remaining() >= 4) {
        const std::uint16_t length = little ? reader.le16() : reader.be16();
        const std::uint16_t type = little ? reader.le16() : reader.be16();
        if (length < 4) {
            return stop(SkipKind::malformed);
        }
        const std::uint32_t content = length - 4U;
        if (type == kPayload) {
            slice.drop(reader.position());
            slice.limit(content);
            return from_address_family(family);
        }
        reader.skip((content + 3U) & ~3U);
    }
    return stop(slice.shortage());
}

struct LinkRow {
    LinkType type;
    Step (*take)(Slice&) noexcept;
};

constexpr std::array kLinkRows{
    LinkRow{LinkType::null, take_null},
    LinkRow{LinkType::ethernet, take_ethernet_link},
    LinkRow{LinkType::ppp, take_ppp_link},
    LinkRow{LinkType::raw_bsd, take_raw},
    LinkRow{LinkType::raw_openbsd, take_raw},
    LinkRow{LinkType::ppp_hdlc, take_ppp_link},
    LinkRow{LinkType::raw, take_raw},
    LinkRow{LinkType::cisco_hdlc, take_cisco_hdlc},
    LinkRow{LinkType::ieee802_11, take_ieee802_11},
    LinkRow{LinkType::loop, take_null},
    LinkRow{LinkType::linux_sll, take_sll},
    LinkRow{LinkType::radiotap, take_radiotap},
    LinkRow{LinkType::ipv4, take_raw_ipv4},
    LinkRow{LinkType::ipv6, take_raw_ipv6},
    LinkRow{LinkType::nflog, take_nflog},
    LinkRow{LinkType::linux_sll2, take_sll2},
};
static_assert(std::ranges::is_sorted(kLinkRows, {}, &LinkRow::type));

Step take_link(std::uint32_t link_type, Slice& slice) noexcept {
    for (const LinkRow& row : kLinkRows) {
        if (static_cast<std::uint32_t>(row.type) == link_type) {
            return row.take(slice);
        }
    }
    return stop(SkipKind::link_type, link_type);
}

}  // namespace

Reached reach_ip_from_link(std::uint32_t link_type, Slice& slice, EncapStack& stack) noexcept {
    if (link_type == static_cast<std::uint32_t>(LinkType::ppi)) {
        // PPI: version, flags (1 each), header length and link type of what follows, both
        // little-endian.
        base::ByteReader reader(slice.bytes);
        reader.skip(2);
        const std::uint16_t length = reader.le16();
        link_type = reader.le32();
        if (!reader.ok()) {
            return {0, slice.shortage()};
        }
        if (length < 8 || length > slice.wire) {
            return {0, SkipKind::malformed};
        }
        slice.drop(length);
    }
    return reach_ip(take_link(link_type, slice), slice, stack);
}

}  // namespace flowclass::decode
