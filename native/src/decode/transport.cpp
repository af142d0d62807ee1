// The rarer transports and the headers that do not fit.
#include "decode/transport.hpp"

namespace flowclass::decode {

namespace {

using packet::FlowLayer;

void count_short(const Slice& slice, FlowLayer& layer, DecodeCounters& counters) noexcept {
    layer.truncated = slice.cut();
    ++(slice.cut() ? counters.transport_truncated : counters.transport_malformed);
}

bool read_ports(const Slice& slice, FlowLayer& layer) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint16_t src_port = reader.be16();
    const std::uint16_t dst_port = reader.be16();
    if (!reader.ok()) {
        return false;
    }
    layer.src_port = src_port;
    layer.dst_port = dst_port;
    layer.has_ports = true;
    return true;
}

void take_port_header(std::uint32_t header_length,
                      Slice& slice,
                      FlowLayer& layer,
                      DecodeCounters& counters) noexcept {
    if (slice.bytes.size() < header_length) {
        take_short_transport(header_length, slice, layer, counters);
        return;
    }
    read_ports(slice, layer);
    slice.drop(header_length);
}

// RFC 792, RFC 4443 §2.1: type, code, checksum, four octets that depend on the type.
void take_icmp(Slice& slice, FlowLayer& layer, DecodeCounters& counters) noexcept {
    base::ByteReader reader(slice.bytes);
    const std::uint8_t type = reader.u8();
    const std::uint8_t code = reader.u8();
    if (reader.ok()) {
        layer.icmp_type = type;
        layer.icmp_code = code;
    }
    if (slice.bytes.size() < 8) {
        count_short(slice, layer, counters);
    }
    slice.drop(8);
}

}  // namespace

void take_short_transport(std::uint32_t header_length,
                          Slice& slice,
                          FlowLayer& layer,
                          DecodeCounters& counters) noexcept {
    count_short(slice, layer, counters);
    if (read_ports(slice, layer) && layer.ip_proto == static_cast<std::uint8_t>(IpProtocol::tcp)) {
        layer.tcp_seq = base::at(slice.bytes, 4).be32();
        base::ByteReader reader = base::at(slice.bytes, 12);
        const std::uint16_t offset_flags = reader.be16();
        if (reader.ok()) {
            layer.tcp_flags = offset_flags & 0x0fffU;
            header_length = std::max(header_length, (offset_flags >> 12U) * 4U);
            const std::uint16_t window = reader.be16();
            layer.has_tcp_window = reader.ok();
            layer.tcp_window = window;
        }
    } else if (layer.ip_proto == static_cast<std::uint8_t>(IpProtocol::udp)) {
        base::ByteReader reader = base::at(slice.bytes, 4);
        const std::uint16_t length = reader.be16();
        const bool whole = slice.wire >= header_length;
        slice.drop(header_length);
        if (whole && reader.ok() && length != slice.wire + 8) {
            settle_udp_length(length, slice, layer, counters);
        }
        return;
    }
    slice.drop(header_length);
}

void settle_udp_length(std::uint16_t length,
                       Slice& slice,
                       FlowLayer& layer,
                       DecodeCounters& counters) noexcept {
    constexpr std::uint16_t kHeader = 8;
    if (length == 0 && slice.wire > 0) {
        return;  // RFC 2675 §4 and segmentation offload: the rest of the packet
    }
    if (length < kHeader) {
        ++counters.transport_malformed;
        return;
    }
    const std::uint32_t content = length - kHeader;
    if (content < slice.wire) {
        slice.limit(content);
    } else if (layer.fragment == packet::Fragment::first) {
        layer.datagram_length = content;
    } else {
        ++counters.transport_malformed;
    }
}

void take_other_transport(Slice& slice, FlowLayer& layer, DecodeCounters& counters) noexcept {
    switch (static_cast<IpProtocol>(layer.ip_proto)) {
        case IpProtocol::udp_lite:  // RFC 3828: the length field is the checksum's coverage
            take_port_header(8, slice, layer, counters);
            break;
        case IpProtocol::sctp:  // RFC 9260 §3.1
            take_port_header(12, slice, layer, counters);
            break;
        case IpProtocol::icmp:
        case IpProtocol::icmpv6:
            take_icmp(slice, layer, counters);
            break;
        default:
            break;
    }
}

}  // namespace flowclass::decode
