// Tunnels by IP protocol number: GRE and what it carries, IP in IP, EtherIP, MPLS in IP; and the
// strict check behind all.
#include "decode/tunnel.hpp"

namespace flowclass::decode {

namespace {

using packet::EncapType;
using packet::FlowLayer;
using packet::SkipKind;

constexpr std::uint32_t kGreChecksum = 0x8000;
constexpr std::uint32_t kGreKey = 0x2000;
constexpr std::uint32_t kGreSequence = 0x1000;
constexpr std::uint32_t kGreAcknowledgment = 0x0080;  // version 1 only
constexpr std::uint32_t kGreVersion = 0x0007;
constexpr std::uint16_t kErspanTwo = 0x88be;
constexpr std::uint16_t kErspanThree = 0x22eb;

// ERSPAN (draft-foschiano-erspan): I has no header and no GRE sequence number; II has version 1 and
// 8 octets; III has version 2 and 12, with 8 more when the lowest bit is set. VLAN (12 bits) and
// session (10) are at the same place.
Step take_erspan(std::uint16_t ether_type,
                 bool sequence,
                 Slice& slice,
                 EncapStack& stack) noexcept {
    if (ether_type == kErspanTwo && !sequence) {
        stack.push(EncapType::erspan, 0);
        return {Header::ethernet};
    }
    base::ByteReader reader(slice.bytes);
    const std::uint32_t word = reader.be32();
    reader.skip(4);
    const bool third = ether_type == kErspanThree;
    const bool optional = third && (reader.be32() & 1U) != 0;
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if (word >> 28U != (third ? 2U : 1U)) {
        return stop(SkipKind::malformed);
    }
    stack.push(EncapType::erspan, word & 0x3ffU);
    slice.drop(third ? (optional ? 20 : 12) : 8);
    return {Header::ethernet};
}

// In GRE the next EtherType stands before Cisco MetaData (Wireshark, packet-cisco-metadata.c): it
// then is `ether_type`. A step that stops says why not.
Step take_gre_metadata(std::uint16_t& ether_type, Slice& slice) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint16_t next = reader.be16();
    const bool known = skip_metadata(reader);
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if (!known) {
        return stop(SkipKind::ethertype, ether_type);
    }
    slice.drop(reader.position());
    ether_type = next;
    return {};
}

Step from_gre_type(std::uint16_t ether_type,
                   bool sequence,
                   Slice& slice,
                   EncapStack& stack) noexcept {
    if (static_cast<EtherType>(ether_type) == EtherType::metadata) {
        const Step taken = take_gre_metadata(ether_type, slice);
        if (taken.reason != SkipKind::none) {
            return taken;
        }
    }
    if (ether_type == kErspanTwo || ether_type == kErspanThree) {
        return take_erspan(ether_type, sequence, slice, stack);
    }
    switch (static_cast<EtherType>(ether_type)) {
        case EtherType::transparent_ethernet:
            return {Header::ethernet};
        case EtherType::ppp:
            return {Header::ppp};
        default:
            return from_ether_type(ether_type);
    }
}

// RFC 2784 §2.1 and RFC 2890 §2: flags, protocol, then the fields the flags announce. Routing (RFC
// 1701) and the other reserved flags must be clear.
Step take_gre_zero(std::uint32_t flags,
                   base::ByteReader reader,
                   Slice& slice,
                   EncapStack& stack) noexcept {
    constexpr std::uint32_t kKnown = kGreChecksum | kGreKey | kGreSequence;
    const std::uint16_t ether_type = reader.be16();
    if ((flags & kGreChecksum) != 0) {
        reader.skip(4);
    }
    const std::uint32_t key = (flags & kGreKey) != 0 ? reader.be32() : 0;
    const bool sequence = (flags & kGreSequence) != 0;
    if (sequence) {
        reader.skip(4);
    }
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if ((flags & ~kKnown) != 0) {
        return stop(SkipKind::malformed);
    }
    slice.drop(reader.position());
    stack.push(EncapType::gre, key);
    return from_gre_type(ether_type, sequence, slice, stack);
}

// RFC 2637 §4.1: the key field is payload length and call id; without a payload it is an
// acknowledgment alone.
Step take_gre_one(std::uint32_t flags,
                  base::ByteReader reader,
                  Slice& slice,
                  EncapStack& stack) noexcept {
    constexpr std::uint32_t kKnown = kGreKey | kGreSequence | kGreAcknowledgment | kGreVersion;
    const std::uint16_t ether_type = reader.be16();
    const std::uint16_t length = reader.be16();
    const std::uint16_t call = reader.be16();
    const bool sequence = (flags & kGreSequence) != 0;
    if (sequence) {
        reader.skip(4);
    }
    if ((flags & kGreAcknowledgment) != 0) {
        reader.skip(4);
    }
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if ((flags & ~kKnown) != 0 || (flags & kGreKey) == 0 ||
        ether_type != static_cast<std::uint16_t>(EtherType::ppp)) {
        return stop(SkipKind::malformed);
    }
    slice.drop(reader.position());
    if (!sequence || length == 0) {
        return stop(SkipKind::none);
    }
    if (length > slice.wire) {
        return stop(SkipKind::malformed);
    }
    slice.limit(length);
    stack.push(EncapType::pptp_gre, call);
    return {Header::ppp};
}

Step take_gre(Slice& slice, EncapStack& stack) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint32_t flags = reader.be16();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    switch (flags & kGreVersion) {
        case 0:
            return take_gre_zero(flags, reader, slice, stack);
        case 1:
            return take_gre_one(flags, reader, slice, stack);
        default:
            return stop(SkipKind::malformed);
    }
}

// RFC 3378 §3: version 3 and twelve zero bits, then Ethernet.
Step take_etherip(Slice& slice, EncapStack& stack) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint16_t version = reader.be16();
    if (!reader.ok()) {
        return stop(slice.shortage());
    }
    if (version != 0x3000) {
        return stop(SkipKind::malformed);
    }
    slice.drop(2);
    stack.push(EncapType::etherip, 0);
    return {Header::ethernet};
}

Step open_tunnel(Tunnel tunnel, Slice& slice, EncapStack& stack) noexcept {
    switch (tunnel) {
        case Tunnel::gre:
            return take_gre(slice, stack);
        case Tunnel::ip_in_ip:
            stack.push(EncapType::ip_in_ip, 0);
            return {Header::ipv4};
        case Tunnel::six_in_four:
            stack.push(EncapType::six_in_four, 0);
            return {Header::ipv6};
        case Tunnel::etherip:
            return take_etherip(slice, stack);
        case Tunnel::mpls_in_ip:  // RFC 4023 §3
            return {Header::mpls};
        default:
            return open_udp_tunnel(tunnel, slice, stack);
    }
}

// What the tunnel header begins with. A first fragment announces more than it holds: UDP says how
// much, others do not.
Slice content_of(const FlowLayer& layer) noexcept {
    Slice slice{layer.payload, layer.datagram_length};
    constexpr std::uint32_t kMaxPacket = 65535;
    const bool udp = layer.ip_proto == static_cast<std::uint8_t>(IpProtocol::udp);
    if (layer.fragment == packet::Fragment::first && !udp) {
        slice.wire = std::max(slice.wire, kMaxPacket);
    }
    return slice;
}

Reached try_tunnel(Tunnel tunnel, Slice& slice, EncapStack& stack) noexcept {
    stack.enter_tunnel();
    const Reached reached = reach_ip(open_tunnel(tunnel, slice, stack), slice, stack);
    if (reached.version == 0) {
        return reached;
    }
    const SkipKind failed = check_inner_ip(slice, reached.version);
    return failed == SkipKind::none ? reached : Reached{0, failed};
}

void count_closed(SkipKind reason, DecodeCounters& counters) noexcept {
    switch (reason) {
        case SkipKind::none:
            break;  // nothing was meant to be inside
        case SkipKind::truncated:
            ++counters.inner_truncated;
            break;
        case SkipKind::malformed:
            ++counters.inner_malformed;
            break;
        default:
            ++counters.inner_not_ip;
            break;
    }
}

}  // namespace

Tunnel tunnel_of_protocol(std::uint8_t ip_proto) noexcept {
    switch (static_cast<IpProtocol>(ip_proto)) {
        case IpProtocol::gre:
            return Tunnel::gre;
        case IpProtocol::ipv4:
            return Tunnel::ip_in_ip;
        case IpProtocol::ipv6:
            return Tunnel::six_in_four;
        case IpProtocol::etherip:
            return Tunnel::etherip;
        case IpProtocol::mpls_in_ip:
            return Tunnel::mpls_in_ip;
        default:
            return Tunnel::none;
    }
}

std::uint8_t find_inner_ip(const FlowLayer& layer,
                           Slice& slice,
                           EncapStack& stack,
                           DecodeCounters& counters) noexcept {
    const std::size_t outer_count = stack.count();
    if (layer.ip_proto != static_cast<std::uint8_t>(IpProtocol::udp)) {
        slice = content_of(layer);
        const Reached reached = try_tunnel(tunnel_of_protocol(layer.ip_proto), slice, stack);
        if (reached.version == 0) {
            stack.rewind(outer_count);
            count_closed(reached.reason, counters);
        }
        return reached.version;
    }
    const Tunnel by_destination = tunnel_of_port(layer.dst_port);
    const Tunnel by_source = tunnel_of_port(layer.src_port);
    for (const Tunnel tunnel :
         {by_destination, by_source == by_destination ? Tunnel::none : by_source}) {
        if (tunnel != Tunnel::none) {
            slice = content_of(layer);
            const Reached reached = try_tunnel(tunnel, slice, stack);
            if (reached.version != 0) {
                return reached.version;
            }
            stack.rewind(outer_count);
        }
    }
    return 0;
}

}  // namespace flowclass::decode
