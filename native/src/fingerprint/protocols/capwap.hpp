// Control And Provisioning of Wireless Access Points, data channel (UDP 5247): the frames of
// wireless clients on their way to the controller.
//
//  sealed: a DTLS record; else the header (capwap_packet.hpp), then
//  keep-alive (K): length be16 | element 35, the session, 16 octets
//  frame: 802.3 (T 0) or 802.11 (T 1); with LLC/SNAP AA AA 03 00 00 00 behind 24 or 26 octets
//
// The control channel is capwap_control.hpp.
// Sources: RFC 5415 §4.2, §4.3, §4.4; RFC 5416 §2.2; IEEE 802.11 §9.2, 802.2.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/capwap_packet.hpp"
#include "fingerprint/inner_packet.hpp"

namespace flowclass::fingerprint::capwap {

inline constexpr Rule kDtls{"capwap.dtls_header", "preamble 01 and three zeros; RFC 5415 §4.2"};
inline constexpr Rule kRecord{
    "capwap.dtls_record",
    "a DTLS record with a length inside the packet; RFC 5415 §4.2, RFC 6347 §4.1"};
inline constexpr Rule kHeader{
    "capwap.header",
    "preamble 00, a header length and a binding in use, no reserved bits, "
    "no fragment; RFC 5415 §4.3"};
inline constexpr Rule kKeepAlive{"capwap.keep_alive",
                                 "data channel keep-alive with its session; RFC 5415 §4.4.1"};
inline constexpr Rule kSnap{"capwap.snap",
                            "LLC/SNAP header behind the 802.11 header; RFC 5416 §2.2"};
inline constexpr Rule kFrame{"capwap.inner_frame",
                             "the frame has an EtherType in use; RFC 5415 §4.4.2"};
inline constexpr Rule kPacket{
    "capwap.inner_packet",
    "the inner packet holds: version, length, IPv4 header checksum, or ARP; RFC 791, RFC 8200"};
inline constexpr Rule kPort{"capwap.port", "UDP port 5247 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{capwap_packet::kDataPort};
inline constexpr std::array<const Rule*, 8> kRules{
    &kDtls, &kRecord, &kHeader, &kKeepAlive, &kSnap, &kFrame, &kPacket, &kPort};

inline Reading read_keep_alive(const Payload& payload,
                               std::size_t offset,
                               Claims& claims) noexcept {
    ByteReader reader = at(payload.bytes, offset);
    reader.skip(2);
    const std::uint32_t element = reader.be32();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    if (element != 0x00230010) {
        return Reading::contradicts;
    }
    claims.add(kKeepAlive, offset + 2, 4, 26);
    return Reading::fits;
}

// 802.11 without and with quality of service; then LLC/SNAP and an EtherType. Frames of other kinds
// say nothing.
inline Reading read_wireless(const Payload& payload, std::size_t offset, Claims& claims) noexcept {
    for (const std::size_t header : {24U, 26U}) {
        const std::size_t snap_at = offset + header;
        ByteReader reader = at(payload.bytes, snap_at);
        const std::uint32_t llc = reader.be32();
        const std::uint16_t organization = reader.be16();
        const std::uint16_t type = reader.be16();
        Claims packet;
        if (reader.ok() && llc == 0xaaaa0300 && organization == 0 &&
            inner::read_ether_type(
                type, payload, {snap_at + 8, payload.length, Fit::padded}, kPacket, packet) !=
                Reading::contradicts) {
            claims.add(kSnap, snap_at, 6, 36);
            claims.add(kFrame, snap_at + 6, 2, 11);
            claims.append(packet);
            return Reading::fits;
        }
    }
    return Reading::cut;
}

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "capwap",
                                      .protocol_class = ProtocolClass::overlay,
                                      .title = "Control And Provisioning of Wireless Access Points",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 5415, RFC 5416"};
    static constexpr Prefilter prefilter = capwap_packet::kPrefilter;

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 4;
        Evidence evidence;
        const bool data_port = head.has_port(capwap_packet::kDataPort);
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                if (at(payload.bytes, 0).u8() != capwap_packet::kSealed) {
                    return read_plain(payload, claims);
                }
                return data_port ? capwap_packet::read_dtls(payload, {kDtls, kRecord}, claims)
                                 : Reading::contradicts;
            });
        if (!holds) {
            return {};
        }
        if (data_port) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static Reading read_plain(const Payload& payload, Claims& claims) noexcept {
        capwap_packet::Header header;
        const Reading reading = capwap_packet::read_header(payload, kHeader, header, claims);
        if (reading != Reading::fits) {
            return reading;
        }
        if (header.keep_alive) {
            return read_keep_alive(payload, header.length, claims);
        }
        if (header.native) {
            return read_wireless(payload, header.length, claims);
        }
        return inner::read_ethernet(
            payload, {header.length, payload.length, Fit::padded}, {kFrame, kPacket}, claims);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::capwap
