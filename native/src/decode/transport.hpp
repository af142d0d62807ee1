// The transport headers. Takes: a layer after its IP header and the slice of the IP payload. Gives:
// ports, flags, lengths and payload in the layer. Guarantees: every layer gets its lengths, from
// the headers and never from what was captured; ports are there as soon as four octets of them are.
#pragma once

#include <cstdint>

#include "decode/counters.hpp"
#include "decode/network.hpp"
#include "decode/slice.hpp"

namespace flowclass::decode {

// SCTP, UDP-Lite, ICMP and everything without a header we read.
void take_other_transport(Slice& slice,
                          packet::FlowLayer& layer,
                          DecodeCounters& counters) noexcept;
// A TCP or UDP header that does not fit: takes what there is of it.
void take_short_transport(std::uint32_t header_length,
                          Slice& slice,
                          packet::FlowLayer& layer,
                          DecodeCounters& counters) noexcept;
// A UDP length that is not what the IP payload holds.
void settle_udp_length(std::uint16_t length,
                       Slice& slice,
                       packet::FlowLayer& layer,
                       DecodeCounters& counters) noexcept;

// RFC 9293 §3.1.
[[gnu::always_inline]] inline void take_tcp(Slice& slice,
                                            packet::FlowLayer& layer,
                                            DecodeCounters& counters) noexcept {
    base::ByteReader reader(slice.bytes);
    const base::Bytes fixed = reader.bytes(20);
    if (fixed.size() != 20) [[unlikely]] {
        take_short_transport(20, slice, layer, counters);
        return;
    }
    base::ByteReader header(fixed.first<20>());
    layer.src_port = header.be16();
    layer.dst_port = header.be16();
    layer.has_ports = true;
    layer.tcp_seq = header.be32();
    header.skip(4);
    const std::uint16_t offset_flags = header.be16();
    layer.tcp_flags = offset_flags & 0x0fffU;
    layer.tcp_window = header.be16();
    layer.has_tcp_window = true;
    const std::uint32_t header_length = (offset_flags >> 12U) * 4U;
    if (header_length < 20 || header_length > slice.wire) [[unlikely]] {
        ++counters.transport_malformed;
        slice.drop(slice.wire);  // where the payload begins is unknown: none
        return;
    }
    slice.drop(header_length);
}

// RFC 768.
[[gnu::always_inline]] inline void take_udp(Slice& slice,
                                            packet::FlowLayer& layer,
                                            DecodeCounters& counters) noexcept {
    base::ByteReader reader(slice.bytes);
    const base::Bytes fixed = reader.bytes(8);
    if (fixed.size() != 8) [[unlikely]] {
        take_short_transport(8, slice, layer, counters);
        return;
    }
    base::ByteReader header(fixed.first<8>());
    layer.src_port = header.be16();
    layer.dst_port = header.be16();
    layer.has_ports = true;
    const std::uint16_t length = header.be16();
    slice.drop(8);
    if (length != slice.wire + 8) [[unlikely]] {
        settle_udp_length(length, slice, layer, counters);
    }
}

[[gnu::always_inline]] inline void take_transport(Slice& slice,
                                                  packet::FlowLayer& layer,
                                                  DecodeCounters& counters) noexcept {
    if (layer.fragment != packet::Fragment::later) [[likely]] {
        if (layer.ip_proto == static_cast<std::uint8_t>(IpProtocol::tcp)) {
            take_tcp(slice, layer, counters);
        } else if (layer.ip_proto == static_cast<std::uint8_t>(IpProtocol::udp)) {
            take_udp(slice, layer, counters);
        } else {
            take_other_transport(slice, layer, counters);
        }
    }
    layer.truncated = layer.truncated || slice.cut();
    layer.payload = slice.bytes;
    layer.payload_length = slice.wire;
    if (layer.datagram_length < slice.wire) {
        layer.datagram_length = slice.wire;
    }
}

}  // namespace flowclass::decode
