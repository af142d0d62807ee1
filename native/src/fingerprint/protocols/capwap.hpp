// Control And Provisioning of Wireless Access Points: control (UDP 5246), data (UDP 5247).
//
//  01 00 00 00 | DTLS record: type 1, version FEFF or FEFD, epoch 2, sequence 6, length be16
//  00 | header words (5), radio (5), binding (5: 1 is 802.11), T F L W M K, zeros (3) | fragment 2
//     | offset (13), zeros (3) | [M: length 1, radio address] [W: length 1, wireless information]
//  Control: message type be32 (1 to 26, vendors' above) | sequence 1 | length be16 of what follows
//     the sequence | flags 0 | elements: type be16, length be16
//  Data keep-alive (K): length be16 | element 35, the session, 16 octets
//  Data: 802.3 (T 0) or 802.11 (T 1); with LLC/SNAP AA AA 03 00 00 00 behind 24 or 26 octets
//
// Sources: RFC 5415 §4.2, §4.3, §4.4, §4.5, §4.6; RFC 5416 §2.2; IEEE 802.11 §9.2, 802.2.
#pragma once

#include <array>
#include <cstdint>

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
inline constexpr Rule kControl{"capwap.control",
                               "a message type, its exact length, flags zero; RFC 5415 §4.5.1"};
inline constexpr Rule kElement{"capwap.element",
                               "the first element's type and length fit; RFC 5415 §4.6"};
inline constexpr Rule kKeepAlive{"capwap.keep_alive",
                                 "data channel keep-alive with its session; RFC 5415 §4.4.1"};
inline constexpr Rule kSnap{"capwap.snap",
                            "LLC/SNAP header behind the 802.11 header; RFC 5416 §2.2"};
inline constexpr Rule kFrame{"capwap.inner_frame",
                             "the frame has an EtherType in use; RFC 5415 §4.4.2"};
inline constexpr Rule kPacket{
    "capwap.inner_packet",
    "the inner packet holds: version, length, IPv4 header checksum, or ARP; RFC 791, RFC 8200"};
inline constexpr Rule kPort{"capwap.port", "UDP port 5246 or 5247 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{5246, 5247};
inline constexpr std::array<std::string_view, 2> kVariants{"control", "data"};
inline constexpr std::array<const Rule*, 10> kRules{&kDtls,
                                                    &kRecord,
                                                    &kHeader,
                                                    &kControl,
                                                    &kElement,
                                                    &kKeepAlive,
                                                    &kSnap,
                                                    &kFrame,
                                                    &kPacket,
                                                    &kPort};

struct Header {
    std::size_t length = 0;  // octets
    bool native = false;     // T: the binding's frames
    bool keep_alive = false;
};

inline Reading read_header(const Payload& payload, Header& out, Claims& claims) noexcept {
    ByteReader reader(payload.bytes);
    const std::uint8_t preamble = reader.u8();
    const std::uint32_t word = reader.be24();
    reader.skip(2);
    const std::uint16_t offset = reader.be16();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    const std::uint32_t words = word >> 19U;
    const std::uint32_t binding = word >> 9U & 0x1fU;
    const bool wireless = (word & 0x20U) != 0;
    const bool address = (word & 0x10U) != 0;
    constexpr std::uint32_t kMostWords = 8;
    constexpr std::uint32_t kFragment = 0x80;
    out.length = words * std::size_t{4};
    out.native = (word & 0x100U) != 0;
    out.keep_alive = (word & 8U) != 0;
    // 802.11, and EPCglobal which nobody binds (RFC 5415 §4.3): 1, 3; 0 stands before a binding.
    const bool bound = binding == 0 || binding == 1 || binding == 3;
    const std::uint32_t least = wireless || address ? 3 : 2;
    if (preamble != 0 || (word & (7U | kFragment)) != 0 || offset != 0 || !bound || words < least ||
        words > kMostWords || out.length > payload.length) {
        return Reading::contradicts;
    }
    // Length 5 bits of which seven are left 2, binding 3, four reserved bits and the rest zeros.
    claims.add(kHeader, 0, 4, 8);
    claims.add(kHeader, 6, 2, 3);
    return Reading::fits;
}

inline Reading read_dtls(const Payload& payload, Claims& claims) noexcept {
    constexpr std::size_t kRecordHeader = 13;
    ByteReader reader(payload.bytes);
    const std::uint32_t preamble = reader.be32();
    const std::uint8_t type = reader.u8();
    const std::uint16_t version = reader.be16();
    reader.skip(8);
    const std::size_t length = reader.be16();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    const std::size_t end = 4 + kRecordHeader + length;
    if (preamble != 0x01000000 || type < 20 || type > 25 ||
        (version != 0xfeff && version != 0xfefd) || end > payload.length) {
        return Reading::contradicts;
    }
    claims.add(kDtls, 0, 4, 14);  // a small number in little endian is common
    claims.add(kRecord, 4, 3, 5 + 15);
    if (end == payload.length) {
        claims.add(kRecord, 15, 2, 12);
    }
    return Reading::fits;
}

inline Reading read_control(const Payload& payload, std::size_t offset, Claims& claims) noexcept {
    constexpr std::uint32_t kMostType = 26;
    ByteReader reader = at(payload.bytes, offset);
    const std::uint32_t type = reader.be32();
    reader.skip(1);
    const std::size_t length = reader.be16();
    const std::uint8_t flags = reader.u8();
    if (!reader.ok()) {
        return ran_out(payload);
    }
    // The length counts itself and the flags; its own element part alone is seen too.
    const std::size_t whole = offset + 5 + length;
    const bool exact = whole == payload.length || whole + 3 == payload.length;
    if (type < 1 || type > kMostType || flags != 0 || !exact) {
        return Reading::contradicts;
    }
    claims.add(kControl, offset, 4, 20);
    claims.add(kControl, offset + 5, 2, 12);
    const std::uint16_t element = reader.be16();
    const std::size_t size = reader.be16();
    if (!reader.ok()) {
        return payload.length == offset + 8 ? Reading::fits : ran_out(payload);
    }
    if (element < 1 || element > 2048 || offset + 12 + size > payload.length) {
        return Reading::contradicts;
    }
    claims.add(kElement, offset + 8, 1, 4);
    claims.add(kElement, offset + 10, 1, 6);
    return Reading::fits;
}

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
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 5415, RFC 5416"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0, 1}), .least_length = 16};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 4;
        Evidence evidence;
        std::string_view variant;
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                std::string_view found;
                const Reading reading = read(payload, claims, found);
                if (reading == Reading::fits && variant.empty()) {
                    variant = found;
                }
                return reading;
            });
        if (!holds) {
            return {};
        }
        // DTLS is the same in both channels: the port says which.
        const bool data = head.has_port(kPorts[1]);
        evidence.set_variant(!variant.empty() ? variant : data ? "data" : "control");
        if (data || head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static Reading read(const Payload& payload,
                        Claims& claims,
                        std::string_view& variant) noexcept {
        if (at(payload.bytes, 0).u8() == 1) {
            return read_dtls(payload, claims);
        }
        Header header;
        const Reading reading = read_header(payload, header, claims);
        if (reading != Reading::fits) {
            return reading;
        }
        variant = "data";
        if (header.keep_alive) {
            return read_keep_alive(payload, header.length, claims);
        }
        if (header.native) {
            return read_wireless(payload, header.length, claims);
        }
        Claims control;
        const Reading as_control = read_control(payload, header.length, control);
        if (as_control != Reading::contradicts) {
            variant = "control";
            claims.append(control);
            return as_control;
        }
        return inner::read_ethernet(
            payload, {header.length, payload.length, Fit::padded}, {kFrame, kPacket}, claims);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::capwap
