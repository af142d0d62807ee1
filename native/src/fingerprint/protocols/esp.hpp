// Encapsulating Security Payload, IP protocol 50.
//
//  0 SPI 4, 256 and more | 4 sequence number 4, from 1, one more in each packet | 8 sealed ...
//
// The protocol number is assigned to ESP alone; the header still has to hold: reserved SPIs are not
// on the wire, and the packet is whole words.
// Source: RFC 4303 §2, §2.1, §2.2, §2.4.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint::esp {

inline constexpr std::uint8_t kEsp = 50;

inline constexpr Rule kHeader{
    "esp.header",
    "IP protocol 50, an SPI that is not reserved, a sequence number that is not zero, whole words; "
    "RFC 4303 §2"};
inline constexpr Rule kEarly{"esp.early_sequence",
                             "the first packet that was seen has a sequence number below 65,536, "
                             "which starts at 1; RFC 4303 §3.3.3"};
inline constexpr Rule kSequence{
    "esp.sequence", "same SPI as before and a sequence number a little higher; RFC 4303 §2.2"};

inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kEarly, &kSequence};

inline constexpr std::uint32_t kLeastSpi = 256;
// SPI, sequence number, the two octets of the trailer and padding to words.
inline constexpr std::uint32_t kLeastLength = 12;

struct Header {
    std::uint32_t spi = 0;
    std::uint32_t sequence = 0;
};

inline bool read(const Payload& payload, Header& out) noexcept {
    ByteReader reader(payload.bytes);
    out.spi = reader.be32();
    out.sequence = reader.be32();
    return reader.ok() && out.spi >= kLeastSpi && out.sequence != 0 &&
           payload.length >= kLeastLength && payload.length % 4 == 0;
}

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "esp",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "IPsec Encapsulating Security Payload",
                                      .ports = {},
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 4303",
                                      .follows = {LinkKind::ike, LinkKind::tls}};
    static constexpr Prefilter prefilter{.ip_protos = {kEsp}, .least_length = kLeastLength};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::uint32_t kMostStep = 64;
        constexpr std::uint32_t kMostEarly = 0xffff;
        Evidence evidence;
        std::array<Header, 2> last{};
        std::size_t headers = 0;
        std::size_t others = 0;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            Header header;
            if (!read(payload, header)) {
                ++others;  // a later fragment, or a packet cut by the capture
                continue;
            }
            ++headers;
            Header& before = last[index_of(payload.direction)];
            if (before.spi == 0) {
                // Nearly every SPI and sequence number passes; one length of four does.
                evidence.add(kHeader, head, entry, 0, 0, 2);
                if (header.sequence <= kMostEarly) {
                    // Small numbers are common: half of two octets of zero.
                    evidence.add(kEarly, head, entry, 4, 2, 8);
                }
            } else if (header.spi == before.spi && header.sequence > before.sequence &&
                       header.sequence - before.sequence <= kMostStep) {
                evidence.add(kSequence, head, entry, 0, 8, 20);
            }
            before = header;
        }
        if (headers <= others) {
            return {};
        }
        evidence.set_assigned_ip_protocol();
        return evidence;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::esp
