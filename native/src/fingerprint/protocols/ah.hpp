// Authentication Header, IP protocol 51.
//
//  0 next header | 1 length in words - 2 | 2 reserved, zero, 2 | 4 SPI 4, 256 and more
//  8 sequence number 4 | 12 integrity check value, whole words | then what the next header says
//
// The protocol number is assigned to AH alone; the header still has to hold.
// Source: RFC 4302 §2.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint::ah {

inline constexpr std::uint8_t kAh = 51;

inline constexpr Rule kHeader{
    "ah.header",
    "IP protocol 51, a header length inside the packet, reserved zeros, an SPI that is not "
    "reserved, a sequence number that is not zero; RFC 4302 §2"};
inline constexpr Rule kEarly{"ah.early_sequence",
                             "the first packet that was seen has a sequence number below 65,536, "
                             "which starts at 1; RFC 4302 §3.3.2"};
inline constexpr Rule kSequence{
    "ah.sequence", "same SPI as before and a sequence number a little higher; RFC 4302 §2.5"};
inline constexpr Rule kInner{"ah.inner_version",
                             "the IP packet behind the header has its version; RFC 4302 §3.1.2"};

inline constexpr std::array<const Rule*, 4> kRules{&kHeader, &kEarly, &kSequence, &kInner};

struct Header {
    std::uint32_t spi = 0;
    std::uint32_t sequence = 0;
    std::uint32_t length = 0;  // octets
    std::uint8_t next = 0;
};

inline bool read(const Payload& payload, Header& out) noexcept {
    constexpr std::uint32_t kLeastSpi = 256;
    // A check value of no less than 4 octets (RFC 4302 §2.6) and no more than 64 (SHA-512).
    constexpr std::uint32_t kLeastLength = 16;
    constexpr std::uint32_t kMostLength = 12 + 64;
    ByteReader reader(payload.bytes);
    out.next = reader.u8();
    out.length = (reader.u8() + 2U) * 4U;
    const std::uint16_t reserved = reader.be16();
    out.spi = reader.be32();
    out.sequence = reader.be32();
    return reader.ok() && reserved == 0 && out.spi >= kLeastSpi && out.sequence != 0 &&
           out.length >= kLeastLength && out.length <= kMostLength && out.length <= payload.length;
}

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ah",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "IPsec Authentication Header",
                                      .ports = {},
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 4302"};
    static constexpr Prefilter prefilter{.ip_protos = {kAh}, .least_length = 16};

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
                // Sixteen of 256 lengths: 4; reserved zeros: 12. Any SPI passes.
                evidence.add(kHeader, head, entry, 1, 3, 16);
                if (header.sequence <= kMostEarly) {
                    // Small numbers are common: half of two octets of zero.
                    evidence.add(kEarly, head, entry, 8, 2, 8);
                }
                add_inner(head, payload, header, evidence);
            } else if (header.spi == before.spi && header.sequence > before.sequence &&
                       header.sequence - before.sequence <= kMostStep) {
                evidence.add(kSequence, head, entry, 4, 8, 20);
            }
            before = header;
        }
        if (headers <= others) {
            return {};
        }
        evidence.set_assigned_ip_protocol();
        return evidence;
    }

  private:
    static void add_inner(const FlowHead& head,
                          const Payload& payload,
                          const Header& header,
                          Evidence& evidence) noexcept {
        constexpr std::uint8_t kIpv4 = 4;
        constexpr std::uint8_t kIpv6 = 41;
        const std::uint8_t version = at(payload.bytes, header.length).u8() >> 4U;
        if ((header.next == kIpv4 && version == 4) || (header.next == kIpv6 && version == 6)) {
            evidence.add(kInner, head, payload.entry, header.length, 1, 4);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ah
