// RDP's connection sequence (MS-RDPBCGR §1.3.1.1), TCP: TPKT and X.224, then TLS or MCS.
//
//  request: 03 00 length | header, E0, 0000, source 2, 0 | "Cookie: mstshash=" name CR LF or
//           "Cookie: msts=" token CR LF | negotiation 01 flags 0800 protocols 4, little-endian
//  confirm: 03 00 length | header, D0, 0000, source 2, 0 | negotiation 02 or 03 flags 0800 value 4
//  then:    TLS (its records follow the two packets), or MCS: 03 00 length | 02 F0 80 | 7F 65, 7F
//  66
//           connect, 04 erect domain, 28 attach user, 38 join, 64 and 68 send data
//
// A request without cookie and negotiation is of 11 octets, and counts beside an answer or MCS
// only.
//
// Sources: MS-RDPBCGR §2.2.1.1, §2.2.1.2, §2.2.1.3, §5.4.5; RFC 1006 §6; ITU-T T.125 §7.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/text_line.hpp"
#include "fingerprint/tpkt.hpp"

namespace flowclass::fingerprint::rdp {

inline constexpr Rule kTpkt{
    "rdp.tpkt", "a TPKT header around a transport packet of class 0; RFC 1006 §6, X.224 §13"};
inline constexpr Rule kCookie{
    "rdp.cookie", "the connection request carries a cookie mstshash or msts; MS-RDPBCGR §2.2.1.1"};
inline constexpr Rule kNegotiation{
    "rdp.negotiation",
    "a negotiation of 8 octets ends the packet; MS-RDPBCGR §2.2.1.1.1, §2.2.1.2.1"};
inline constexpr Rule kMcs{"rdp.mcs",
                           "a T.125 message of the connection behind the transport header; "
                           "MS-RDPBCGR §2.2.1.3, T.125 §11"};
inline constexpr Rule kTls{"rdp.tls",
                           "a TLS record follows the connection packet; MS-RDPBCGR §5.4.5.1"};
inline constexpr Rule kPort{"rdp.port", "TCP port 3389 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{3389};
inline constexpr std::array<const Rule*, 6> kRules{
    &kTpkt, &kCookie, &kNegotiation, &kMcs, &kTls, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "rdp",
        .protocol_class = ProtocolClass::app,
        .title = "Remote Desktop Protocol",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "MS-RDPBCGR §2.2.1.1, §2.2.1.2, §2.2.1.3, §5.4.5; RFC 1006 §6; ITU-T T.125 §7"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0x03}), .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        for (const StreamSide& side : both_sides(head)) {
            const Tpkt packet = read_tpkt(side, 0);
            if (packet.code != 0 && !read(evidence, side, packet)) {
                return {};
            }
        }
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static bool read(Evidence& evidence, const StreamSide& side, const Tpkt& packet) noexcept {
        return packet.is_data() ? read_mcs(evidence, side, 0, packet)
                                : read_connection(evidence, side, packet);
    }

    // False when another protocol's parameters stand there (RFC 905 §13.3.4).
    static bool read_connection(Evidence& evidence,
                                const StreamSide& side,
                                const Tpkt& packet) noexcept {
        constexpr std::size_t kFixed = 11;  // TPKT and X.224 without parameters
        ByteReader reader = side.at(6);
        const std::uint16_t destination = reader.be16();
        reader.skip(2);
        const std::uint8_t options = reader.u8();
        const bool request = packet.code == 0xe0;
        if (!reader.ok() || (request && destination != 0) || options != 0) {
            return false;
        }
        std::size_t offset = kFixed;
        double found = add_cookie(evidence, side, offset);
        if (packet.length >= offset + 8) {
            found += add_negotiation(evidence, side, packet, request);
        }
        if (packet.length > kFixed && found == 0) {
            return packet.length > side.size();
        }
        const std::size_t end = packet.length;
        const bool tls = add_tls(evidence, side, end);
        const Tpkt next = read_tpkt(side, end);
        const bool mcs = !tls && next.is_data() && read_mcs(evidence, side, end, next);
        if (found > 0 || tls || mcs) {
            // The transport header: a code and a length that is the packet's: 14.
            side.add(evidence, kTpkt, 0, 6, tpkt_bits(side, 0, packet) + 14);
            evidence.set_initiator(request ? side.direction() : opposite(side.direction()));
        }
        return true;
    }

    static double add_cookie(Evidence& evidence,
                             const StreamSide& side,
                             std::size_t& offset) noexcept {
        for (const std::string_view cookie : {"Cookie: mstshash=", "Cookie: msts="}) {
            if (has_text(side.stream(), cookie, offset)) {
                const double bits = kLetterBits * static_cast<double>(cookie.size()) - 1;
                side.add(evidence, kCookie, offset, cookie.size(), bits);
                offset += cookie.size();
                return bits;
            }
        }
        return 0;
    }

    static double add_negotiation(Evidence& evidence,
                                  const StreamSide& side,
                                  const Tpkt& packet,
                                  bool request) noexcept {
        const std::size_t offset = packet.length - std::size_t{8};
        ByteReader reader = side.at(offset);
        const std::uint8_t type = reader.u8();
        reader.skip(1);
        const std::uint16_t length = reader.le16();
        const std::uint32_t value = reader.le32();
        const bool kind = request ? type == 1 : type == 2 || type == 3;
        if (!reader.ok() || !kind || length != 8 || value > 0x1f) {
            return 0;
        }
        // The type 7, the length 14, a value of a few bits 16 of 27.
        side.add(evidence, kNegotiation, offset, 1, 7);
        side.add(evidence, kNegotiation, offset + 2, 6, 30);
        return 37;
    }

    static bool add_tls(Evidence& evidence, const StreamSide& side, std::size_t offset) noexcept {
        ByteReader reader = side.at(offset);
        const std::uint8_t type = reader.u8();
        const std::uint8_t major = reader.u8();
        const std::uint8_t minor = reader.u8();
        const std::uint16_t length = reader.be16();
        if (!reader.ok() || type != 22 || major != 3 || minor > 4 || length < 4 || length > 16384) {
            return false;
        }
        // Two constants, a small octet 5, a length's high bits 1.
        side.add(evidence, kTls, offset, 4, 22);
        return true;
    }

    // Connect-Initial and -Response are BER, the others PER: the choice in the high six bits.
    static bool read_mcs(Evidence& evidence,
                         const StreamSide& side,
                         std::size_t offset,
                         const Tpkt& packet) noexcept {
        ByteReader reader = side.at(packet.begin);
        const std::uint8_t first = reader.u8();
        const std::uint8_t second = reader.u8();
        if (!reader.ok()) {
            return true;
        }
        const bool connect =
            first == 0x7f && (second == 0x65 || second == 0x66) && reader.u8() == 0x82;
        const bool fixed =
            (first == 0x04 && packet.length == 12) || (first == 0x28 && packet.length == 8) ||
            (first == 0x2e && packet.length == 11) || (first == 0x38 && packet.length == 12) ||
            (first == 0x3e && packet.length == 15);
        const bool data = (first == 0x64 || first == 0x68) && is_send_data(side, packet);
        if (!connect && !fixed && !data) {
            return false;
        }
        if (offset == 0) {
            // Length, code and end of data: 22 beside the TPKT's.
            side.add(evidence, kTpkt, 0, 7, tpkt_bits(side, 0, packet) + 22);
        }
        // Three constants 22; one of five with its length 12; a choice 6 with priority and length.
        side.add(evidence, kMcs, packet.begin, connect ? 3 : 1, connect ? 22 : fixed ? 12 : 6);
        if (connect) {
            evidence.set_initiator(second == 0x65 ? side.direction() : opposite(side.direction()));
        }
        return true;
    }

    // Initiator 2, channel 2, priority and segmentation 1 (70 in RDP), length 1 or 2.
    static bool is_send_data(const StreamSide& side, const Tpkt& packet) noexcept {
        ByteReader reader = side.at(packet.begin + 5);
        const std::uint8_t priority = reader.u8();
        const std::uint8_t high = reader.u8();
        const std::size_t head = packet.begin + ((high & 0x80U) != 0 ? 8 : 7);
        const std::size_t length =
            (high & 0x80U) != 0 ? (std::size_t{high} & 0x7fU) << 8U | reader.u8() : high;
        const std::size_t start = packet.begin - 3 - kTpktHeader;
        return reader.ok() && (priority & 0x30U) == 0x30 && head + length == start + packet.length;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::rdp
