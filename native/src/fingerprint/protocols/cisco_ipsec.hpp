// Cisco's IPsec encapsulation from before RFC 3948 and RFC 8229: UDP and TCP, port 10000.
//
//  UDP: 0 fe 57 7e 2b ...
//  TCP, a segment each: 0 a UDP header, ports 500 and 500 | 8 IKE | 16 octets behind it
//   behind: 0 zeros 4 | 4 sequence 2 | 6 direction 2 | 8 unknown 5 | 13 0x11 | 14 unknown 2
//   ESP goes without the UDP header and with 0x32 there; it has nothing more that is constant.
//
// Sources: nDPI ciscovpn.c (UDP; its only source, no capture seen); Wireshark packet-ipsec-tcp.c.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/protocols/ike.hpp"
#include "fingerprint/reading.hpp"
#include "fingerprint/sealed.hpp"

namespace flowclass::fingerprint::cisco_ipsec {

inline constexpr Rule kMarker{"cisco-ipsec.marker",
                              "a datagram begins with FE 57 7E 2B; nDPI ciscovpn.c"};
inline constexpr Rule kUdpHeader{"cisco-ipsec.udp_header",
                                 "a segment begins with a UDP header of ports 500 and 500 whose "
                                 "length is that of the IKE message behind it; Wireshark "
                                 "packet-ipsec-tcp.c"};
inline constexpr Rule kIke{"cisco-ipsec.ike", "IKE version, exchange and flags; RFC 2408 §3.1"};
inline constexpr Rule kSpiEcho{"cisco-ipsec.spi_echo",
                               "the other side's IKE message has the same initiator SPI; RFC 2408 "
                               "§3.1"};
inline constexpr Rule kTrailer{"cisco-ipsec.trailer",
                               "zeros behind the IKE message; Wireshark packet-ipsec-tcp.c"};
inline constexpr Rule kTrailerProtocol{"cisco-ipsec.trailer_protocol",
                                       "what follows says UDP, 17; Wireshark packet-ipsec-tcp.c"};
inline constexpr Rule kPort{"cisco-ipsec.port", "port 10000 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{10000};
inline constexpr std::array<std::string_view, 2> kVariants{"udp", "tcp"};
inline constexpr std::array<const Rule*, 7> kRules{
    &kMarker, &kUdpHeader, &kIke, &kSpiEcho, &kTrailer, &kTrailerProtocol, &kPort};

inline constexpr std::uint32_t kMagic = 0xfe577e2b;
inline constexpr std::uint32_t kIkePorts = 0x01f401f4;
inline constexpr std::size_t kUdpHeaderLength = 8;

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "cisco-ipsec",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Cisco IPsec over UDP or TCP, legacy",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "nDPI ciscovpn.c; Wireshark packet-ipsec-tcp.c"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp, kTcp}, .first_bytes = ByteSet::of({0xfe, 0x01}), .least_length = 12};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence = head.ip_proto == kTcp ? match_tcp(head) : match_udp(head);
        if (!evidence.empty() && head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static Evidence match_udp(const FlowHead& head) noexcept {
        Evidence evidence;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            ByteReader reader(payload.bytes);
            const std::uint32_t magic = reader.be32();
            if (!reader.ok()) {
                continue;
            }
            if (magic != kMagic) {
                return {};
            }
            // Four octets of no common value. They have one source alone and may be one tunnel's
            // SPI, so with repetitions and the port they stay below `probable`.
            constexpr float kMost = 28;
            if (evidence.bits() < kMost) {
                evidence.add(kMarker, head, entry, 0, 4, evidence.empty() ? 24 : 2);
            }
        }
        evidence.set_variant(kVariants[0]);
        return evidence;
    }

    static Evidence match_tcp(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<std::uint64_t, 2> spi{};
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            const Bytes stream = head.stream(direction);
            ByteReader reader(stream);
            const std::uint32_t ports = reader.be32();
            const std::uint16_t length = reader.be16();
            if (!reader.ok() || ports != kIkePorts || length <= kUdpHeaderLength) {
                continue;
            }
            ike::Message message;
            const Payload payload{.bytes = part(stream, kUdpHeaderLength, length),
                                  .length = length - std::uint32_t{kUdpHeaderLength},
                                  .direction = direction};
            if (!ike::read(payload, message) || message.begin != 0) {
                return {};
            }
            const Place place{.direction = direction};
            // The ports 28, for they are small numbers; a length that agrees 14.
            add_at(evidence, kUdpHeader, head, place, 0, 6, 42);
            add_at(evidence, kIke, head, place, kUdpHeaderLength + 17, 3, 14);
            spi[index_of(direction)] = message.initiator_spi;
            if (spi[0] == spi[1]) {
                add_at(evidence, kSpiEcho, head, place, kUdpHeaderLength, 8, 64);
            }
            if (!message.version_2 ? message.is_first() : message.is_from_initiator()) {
                evidence.set_initiator(direction);
            }
            add_trailer(evidence, head, direction, length);
        }
        evidence.set_variant(kVariants[1]);
        return evidence;
    }

    static void add_trailer(Evidence& evidence,
                            const FlowHead& head,
                            Direction direction,
                            std::size_t begin) noexcept {
        constexpr std::uint8_t kProtocolUdp = 17;
        ByteReader reader = at(head.stream(direction), begin);
        const std::uint32_t zeros = reader.be32();
        reader.skip(9);
        const std::uint8_t protocol = reader.u8();
        if (!reader.ok() || zeros != 0 || protocol != kProtocolUdp) {
            return;
        }
        const Place place{.direction = direction, .offset = begin};
        add_at(evidence, kTrailer, head, place, 0, 4, 8);
        add_at(evidence, kTrailerProtocol, head, place, 13, 1, 6);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::cisco_ipsec
