// The headers between a link and IP. Each function takes one header off the slice and says what
// follows.
#include "decode/shim.hpp"

namespace flowclass::decode {

namespace {

using packet::EncapType;
using packet::SkipKind;

// A length field up to this is IEEE 802.3 with LLC behind it; EtherTypes begin at 0x0600 (IEEE
// 802.3-2018 §3.2.6).
constexpr std::uint16_t kMaxEthernetLength = 1500;

Step from_type_or_length(std::uint16_t type_or_length, Slice& slice) noexcept {
    if (type_or_length > kMaxEthernetLength) {
        return from_ether_type(type_or_length);
    }
    slice.limit(type_or_length);
    return {Header::llc};
}

Step take_ethernet(Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    reader.skip(12);
    const std::uint16_t type_or_length = reader.be16();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    slice.drop(14);
    return from_type_or_length(type_or_length, slice);
}

// IEEE 802.2 with SNAP (RFC 1042): aa aa 03, OUI, EtherType. OUI 00-00-f8 is the bridge tunnel of
// IEEE 802.1H. SAP 06 carries IPv4 without SNAP.
Step take_llc(Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint16_t saps = reader.be16();
    const std::uint8_t control = reader.u8();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if (saps == 0x0606 && control == 0x03) {
        slice.drop(3);
        return {Header::ipv4};
    }
    if (saps != 0xaaaa || control != 0x03) {
        return stop(SkipKind::llc, saps);
    }
    const std::uint32_t oui = reader.be24();
    const std::uint16_t ether_type = reader.be16();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if (oui != 0 && oui != 0x0000f8) {
        return stop(SkipKind::llc, saps);
    }
    slice.drop(8);
    return from_ether_type(ether_type);
}

// The tag after its EtherType: priority (3), drop eligible (1), identifier (12); then the next
// EtherType or length.
Step take_vlan(Slice& slice, EncapStack& stack) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint16_t control = reader.be16();
    const std::uint16_t type_or_length = reader.be16();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    stack.push_vlan(control & 0x0fffU);
    slice.drop(4);
    return from_type_or_length(type_or_length, slice);
}

// PPPoE session (RFC 2516 §4): version and type 1, code 0, session, length, then PPP without
// address and control.
Step take_pppoe(Slice& slice, EncapStack& stack) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint8_t version_type = reader.u8();
    const std::uint8_t code = reader.u8();
    const std::uint16_t session = reader.be16();
    const std::uint16_t length = reader.be16();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if (version_type != 0x11 || code != 0) {
        return stop(SkipKind::malformed);
    }
    stack.push(EncapType::pppoe, session);
    slice.drop(6);
    slice.limit(length);
    return {Header::ppp};
}

// PPP (RFC 1661 §2, RFC 1662 §3.1): address and control ff 03 may be left out, a protocol below
// 0x100 may take one octet (its low bit is set then). A frame that begins 0f 00 or 8f 00 is Cisco
// HDLC under the same link type.
Step take_ppp(Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint16_t start = reader.be16();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if (start == 0x0f00 || start == 0x8f00) {
        const std::uint16_t ether_type = reader.be16();
        if (!reader.ok()) {
            return stop(slice.shortage());
        }
        slice.drop(4);
        return from_ether_type(ether_type);
    }
    if (start == 0xff03) {
        slice.drop(2);
    }
    reader = base::ByteReader(slice.bytes);
    std::uint32_t protocol = reader.u8();
    if ((protocol & 1U) == 0) {
        protocol = protocol << 8U | reader.u8();
    }
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    slice.drop(reader.position());
    switch (protocol) {
        case 0x0021:
            return {Header::ipv4};
        case 0x0057:
            return {Header::ipv6};
        case 0x0281:
        case 0x0283:
            return {Header::mpls};
        default:
            return stop(SkipKind::ppp_protocol, protocol);
    }
}

// True when an Ethernet header at `skipped` octets announces something we follow or know: no label
// says what is inside.
bool looks_like_ethernet(const Slice& slice, std::size_t skipped) noexcept {
    base::ByteReader reader = base::at(slice.bytes, skipped + 12);
    const std::uint16_t ether_type = reader.be16();
    constexpr std::uint16_t kArp = 0x0806;
    return reader.ok() &&
           (ether_type == kArp || from_ether_type(ether_type).header != Header::none);
}

// A first nibble of 4 or 6 may be a MAC address (RFC 4928 §3): the lengths decide.
Step guess_below_labels(Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint8_t first = reader.u8();
    reader.skip(1);
    const std::uint16_t second_word = reader.be16();
    const std::uint16_t third_word = reader.be16();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if ((first >> 4U) == 4 && (first & 0x0fU) >= 5 && second_word >= 20 &&
        second_word <= slice.wire) {
        return {Header::ipv4};
    }
    if ((first >> 4U) == 6 && std::size_t{third_word} + 40 <= slice.wire) {
        return {Header::ipv6};
    }
    if ((first >> 4U) == 0 && looks_like_ethernet(slice, 4)) {
        slice.drop(4);  // the pseudowire control word of RFC 4385
        return {Header::ethernet};
    }
    if (looks_like_ethernet(slice, 0)) {
        return {Header::ethernet};
    }
    constexpr std::size_t kControlAndEthernet = 18;
    if (slice.cut() && slice.bytes.size() < kControlAndEthernet) {
        return stop(SkipKind::truncated);
    }
    // A length beyond the frame, and nothing speaks for Ethernet: IP all the same, its header says
    // the rest.
    if ((first >> 4U) == 4 || (first >> 4U) == 6) {
        return {Header::ip};
    }
    return stop(SkipKind::ethertype, static_cast<std::uint16_t>(EtherType::mpls));
}

// One label stack entry (RFC 3032 §2.1): label (20), traffic class (3), bottom of stack (1), time
// to live (8).
Step take_mpls(Slice& slice, EncapStack& stack) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint32_t entry = reader.be32();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    stack.push(EncapType::mpls, entry >> 12U);
    slice.drop(4);
    if ((entry & 0x100U) == 0) {
        return {Header::mpls};
    }
    return guess_below_labels(slice);
}

// Cisco MetaData (a TrustSec security group tag), then the next EtherType. The tag is of one hop
// and often of one direction: it is taken off and not recorded.
Step take_metadata(Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    const bool known = skip_metadata(reader);
    const std::uint16_t type_or_length = reader.be16();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if (!known) {
        return stop(SkipKind::ethertype, static_cast<std::uint16_t>(EtherType::metadata));
    }
    slice.drop(reader.position());
    return from_type_or_length(type_or_length, slice);
}

Step take_ip(const Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint32_t version = reader.u8() >> 4U;
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if (version == 4) {
        return {Header::ipv4};
    }
    return version == 6 ? Step{Header::ipv6} : stop(SkipKind::malformed);
}

}  // namespace

// Version 1, length 1 (an option of four octets), then the option: the upper three bits of its type
// are a length, 0 for a value of two octets; type 1 is the security group tag, of which ffff is
// none. As Wireshark's packet-cisco-metadata.c and Snort's cd_ciscometadata.cc have it; no other
// version or option is published.
bool skip_metadata(base::ByteReader& reader) noexcept {
    const std::uint16_t version_length = reader.be16();
    const std::uint16_t option = reader.be16();
    const std::uint16_t tag = reader.be16();
    return version_length == 0x0101 && option == 0x0001 && tag != 0xffff;
}

Step from_ether_type(std::uint16_t ether_type) noexcept {
    switch (static_cast<EtherType>(ether_type)) {
        case EtherType::ipv4:
            return {Header::ipv4};
        case EtherType::ipv6:
            return {Header::ipv6};
        case EtherType::vlan:
        case EtherType::vlan_service:
        case EtherType::vlan_old:
            return {Header::vlan};
        case EtherType::mpls:
        case EtherType::mpls_upstream:
            return {Header::mpls};
        case EtherType::pppoe_session:
            return {Header::pppoe};
        case EtherType::metadata:
            return {Header::metadata};
        default:
            return stop(SkipKind::ethertype, ether_type);
    }
}

Reached reach_ip(Step step, Slice& slice, EncapStack& stack) noexcept {
    for (std::size_t taken = 0; taken < kMaxShims; ++taken) {
        switch (step.header) {
            case Header::none:
                return {0, step.reason, step.detail};
            case Header::ipv4:
                return {4};
            case Header::ipv6:
                return {6};
            case Header::ip:
                step = take_ip(slice);
                break;
            case Header::ethernet:
                step = take_ethernet(slice);
                break;
            case Header::llc:
                step = take_llc(slice);
                break;
            case Header::vlan:
                step = take_vlan(slice, stack);
                break;
            case Header::mpls:
                step = take_mpls(slice, stack);
                break;
            case Header::pppoe:
                step = take_pppoe(slice, stack);
                break;
            case Header::ppp:
                step = take_ppp(slice);
                break;
            case Header::metadata:
                step = take_metadata(slice);
                break;
        }
    }
    return {0, SkipKind::malformed};
}

}  // namespace flowclass::decode
