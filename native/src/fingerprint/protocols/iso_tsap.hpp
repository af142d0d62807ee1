// ISO transport class 0 over TCP (RFC 1006): Siemens S7 and MMS (IEC 61850, ISO 9506).
//
//  connection: 03 00 length | header, E0 or D0, references 4, 0 | parameters: C0 size, C1 and C2
//  TSAPs data:       03 00 length | 02 F0 80 | S7: 32, kind 1, 2, 3 or 7, 0000 | S7 plus: 72,
//  version 1..3,
//              FE | session of MMS: 0D connect, 0E accept, or 01 00 01 00 give tokens and data
//
// Sources: RFC 1006 §5, §6; RFC 905 §13.3; ITU-T X.225 §8.3; Siemens S7 as described at
// wiki.wireshark.org/S7comm.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/tpkt.hpp"

namespace flowclass::fingerprint::iso_tsap {

inline constexpr Rule kTpkt{"iso-tsap.tpkt",
                            "a TPKT header around a transport packet of class 0; RFC 1006 §6"};
inline constexpr Rule kParameters{
    "iso-tsap.parameters", "TSAPs and a size, chained to the end of the header; RFC 905 §13.3.4"};
inline constexpr Rule kS7{"iso-tsap.s7", "32, one of four kinds, two zeros; S7 communication"};
inline constexpr Rule kS7Plus{
    "iso-tsap.s7_plus",
    "72, version 1 to 3 or a keep-alive, and a length that fits; S7 communication plus"};
inline constexpr Rule kSession{
    "iso-tsap.session", "a session of X.225: connect, accept or tokens and data; X.225 §8.3"};

inline constexpr std::array<std::uint16_t, 1> kPorts{102};
inline constexpr std::array<std::string_view, 3> kVariants{"s7comm", "s7comm-plus", "mms"};
inline constexpr std::array<const Rule*, 5> kRules{&kTpkt, &kParameters, &kS7, &kS7Plus, &kSession};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "iso-tsap",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "ISO transport over TCP (S7, MMS)",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources =
                                          "RFC 1006 §5, §6; RFC 905 §13.3; ITU-T X.225 §8.3; "
                                          "Siemens S7 as described at wiki.wireshark.org/S7comm"};
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
        return evidence;
    }

  private:
    static bool read(Evidence& evidence, const StreamSide& side, const Tpkt& packet) noexcept {
        if (packet.is_connection()) {
            if (!add_parameters(evidence, side, packet)) {
                return false;
            }
            evidence.set_initiator(packet.code == 0xe0 ? side.direction()
                                                       : opposite(side.direction()));
            const Tpkt next = read_tpkt(side, packet.length);
            if (next.is_data()) {
                static_cast<void>(add_data(evidence, side, packet.length, next));
            }
            return true;
        }
        return add_data(evidence, side, 0, packet);
    }

    // C0 (1 octet), C1, C2 (TSAPs of 1 to 32) and nothing that is not of X.224.
    static bool add_parameters(Evidence& evidence,
                               const StreamSide& side,
                               const Tpkt& packet) noexcept {
        constexpr std::size_t kFixed = 11;
        std::size_t offset = kFixed;
        std::size_t sizes = 0;
        std::size_t selectors = 0;
        while (offset + 2 <= packet.length) {
            ByteReader reader = side.at(offset);
            const std::uint8_t code = reader.u8();
            const std::uint8_t length = reader.u8();
            const bool size = code == 0xc0 && length == 1;
            const bool selector = (code == 0xc1 || code == 0xc2) && length >= 1 && length <= 32;
            if (!reader.ok() || (!size && !selector)) {
                return false;
            }
            sizes += size ? 1U : 0U;
            selectors += selector ? 1U : 0U;
            // The code 7, its length 4 to 7.
            side.add(evidence, kParameters, offset, 2, offset == kFixed ? 12 : 8);
            offset += std::size_t{2} + length;
        }
        if (offset != packet.length || sizes > 1 || selectors == 0) {
            return false;
        }
        // The transport header: a code and a length that is the packet's: 14.
        side.add(evidence, kTpkt, 0, 6, tpkt_bits(side, 0, packet) + 14);
        return true;
    }

    static bool add_data(Evidence& evidence,
                         const StreamSide& side,
                         std::size_t offset,
                         const Tpkt& packet) noexcept {
        ByteReader reader = side.at(packet.begin);
        const std::uint8_t protocol = reader.u8();
        const std::uint8_t kind = reader.u8();
        const std::uint16_t next = reader.be16();
        if (!reader.ok()) {
            return true;
        }
        const bool s7 = protocol == 0x32 && next == 0 && ((kind >= 1 && kind <= 3) || kind == 7);
        const bool plus = protocol == 0x72 && ((kind >= 1 && kind <= 3) || kind == 0xfe);
        const bool connect = (protocol == 0x0d || protocol == 0x0e) &&
                             packet.begin + 2 + kind <= offset + packet.length && kind >= 16;
        const bool tokens = protocol == 1 && kind == 0 && next == 0x0100;
        if (!s7 && !plus && !connect && !tokens) {
            return false;
        }
        evidence.set_variant(s7 ? "s7comm" : plus ? "s7comm-plus" : "mms");
        if (offset == 0) {
            // Length, code and end of data: 22 beside the TPKT's.
            side.add(evidence, kTpkt, 0, 7, tpkt_bits(side, 0, packet) + 22);
        }
        if (s7) {
            side.add(evidence, kS7, packet.begin, 4, 24);
        } else if (plus) {
            side.add(evidence, kS7Plus, packet.begin, 2, 14);
        } else {
            side.add(evidence, kSession, packet.begin, connect ? 2 : 4, connect ? 8 : 18);
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::iso_tsap
