// Control And Provisioning of Wireless Access Points, control channel (UDP 5246): access points and
// their controller. No tunnel.
//
//  sealed: a DTLS record; else the header (capwap_packet.hpp), then
//  message type be32 (1 to 26, vendors' above) | sequence 1 | length be16 of what follows the
//  sequence | flags 0 | elements: type be16, length be16
//
// The data channel is capwap.hpp.
// Sources: RFC 5415 §4.2, §4.3, §4.5, §4.6.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/capwap_packet.hpp"

namespace flowclass::fingerprint::capwap_control {

inline constexpr Rule kDtls{"capwap-control.dtls_header",
                            "preamble 01 and three zeros; RFC 5415 §4.2"};
inline constexpr Rule kRecord{
    "capwap-control.dtls_record",
    "a DTLS record with a length inside the packet; RFC 5415 §4.2, RFC 6347 §4.1"};
inline constexpr Rule kHeader{
    "capwap-control.header",
    "preamble 00, a header length and a binding in use, no reserved bits, "
    "no fragment; RFC 5415 §4.3"};
inline constexpr Rule kMessage{"capwap-control.message",
                               "a message type, its exact length, flags zero; RFC 5415 §4.5.1"};
inline constexpr Rule kElement{"capwap-control.element",
                               "the first element's type and length fit; RFC 5415 §4.6"};
inline constexpr Rule kPort{"capwap-control.port", "UDP port 5246 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{capwap_packet::kControlPort};
inline constexpr std::array<const Rule*, 6> kRules{
    &kDtls, &kRecord, &kHeader, &kMessage, &kElement, &kPort};

inline Reading read_message(const Payload& payload, std::size_t offset, Claims& claims) noexcept {
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
    claims.add(kMessage, offset, 4, 20);
    claims.add(kMessage, offset + 5, 2, 12);
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

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "capwap-control",
        .protocol_class = ProtocolClass::app,
        .title = "Control And Provisioning of Wireless Access Points, control channel",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "RFC 5415"};
    static constexpr Prefilter prefilter = capwap_packet::kPrefilter;

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 4;
        Evidence evidence;
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                if (at(payload.bytes, 0).u8() != capwap_packet::kSealed) {
                    return read_plain(payload, claims);
                }
                return head.has_port(capwap_packet::kDataPort)
                           ? Reading::contradicts
                           : capwap_packet::read_dtls(payload, {kDtls, kRecord}, claims);
            });
        if (!holds) {
            return {};
        }
        if (head.has_port(capwap_packet::kControlPort)) {
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
        return header.keep_alive || header.native ? Reading::contradicts
                                                  : read_message(payload, header.length, claims);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::capwap_control
