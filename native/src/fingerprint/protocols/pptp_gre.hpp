// PPTP's data: GRE version 1, IP protocol 47.
//
//  0 flags: 20 K, 10 S | 1 80 A, 01 version | 2 880B | 4 payload length be16 | 6 call id be16
//  8 [S: sequence be32] [A: acknowledgment be32] | PPP
//  3001 data, 3081 data and acknowledgment, 2081 acknowledgment alone (length 0)
//
// The protocol number is GRE's, so version, type and length are what shows it.
// Source: RFC 2637 §4.1.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/ppp_frame.hpp"

namespace flowclass::fingerprint::pptp_gre {

inline constexpr std::uint8_t kGre = 47;

inline constexpr Rule kHeader{
    "pptp_gre.header", "version 1, key, sequence or acknowledgment, protocol 880B; RFC 2637 §4.1"};
inline constexpr Rule kLength{"pptp_gre.length", "the payload length is exact; RFC 2637 §4.1"};
inline constexpr Rule kFrame{"pptp_gre.ppp", "PPP address, control and protocol; RFC 1661 §2"};
inline constexpr Rule kPacket{"pptp_gre.ppp_packet",
                              "the packet inside the PPP frame holds: code and length of a control "
                              "protocol, or IP; RFC 1661 §5, RFC 791"};
inline constexpr Rule kSequence{"pptp_gre.sequence",
                                "same call id, a sequence number a little higher; RFC 2637 §4.1"};
inline constexpr Rule kAcknowledged{"pptp_gre.acknowledgment",
                                    "acknowledges what the other side sent; RFC 2637 §4.1"};

inline constexpr std::array<std::string_view, 1> kVariants{"gre"};
inline constexpr std::array<const Rule*, 6> kRules{
    &kHeader, &kLength, &kFrame, &kPacket, &kSequence, &kAcknowledged};

struct Header {
    std::uint16_t call = 0;
    std::uint16_t length = 0;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledged = 0;
    std::size_t acknowledged_at = 0;  // 0: none
    bool has_sequence = false;
    bool seen = false;
};

inline Reading read_header(const Payload& payload, Header& out, Claims& claims) noexcept {
    ByteReader reader(payload.bytes);
    const std::uint16_t flags = reader.be16();
    const std::uint16_t type = reader.be16();
    out.length = reader.be16();
    out.call = reader.be16();
    out.has_sequence = (flags & 0x1000U) != 0;
    if (!reader.ok()) {
        return ran_out(payload);
    }
    if ((flags != 0x3001 && flags != 0x3081 && flags != 0x2081) || type != 0x880b) {
        return Reading::contradicts;
    }
    if (out.has_sequence) {
        out.sequence = reader.be32();
    }
    if ((flags & 0x80U) != 0) {
        out.acknowledged_at = reader.position();
        out.acknowledged = reader.be32();
    }
    if (!reader.ok()) {
        return ran_out(payload);
    }
    const std::size_t size = reader.position() + out.length;
    if (size > payload.length && out.has_sequence) {
        return Reading::cut;  // a first fragment
    }
    if (size != payload.length || (out.has_sequence != (out.length != 0))) {
        return Reading::contradicts;
    }
    claims.add(kHeader, 0, 4, 30);  // three of 65536, one of 65536
    claims.add(kLength, 4, 2, 12);
    const InnerRules rules{kFrame, kPacket};
    Claims frame;
    if (out.length > 0 &&
        inner::read_ppp(payload, {reader.position(), payload.length, Fit::padded}, rules, frame)
                .reading == Reading::fits) {
        claims.append(frame);
    }
    out.seen = true;
    return Reading::fits;
}

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "pptp",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Point-to-Point Tunneling Protocol, data",
                                      .ports = {},
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 2637",
                                      .follows = {LinkKind::pptp}};
    static constexpr Prefilter prefilter{
        .ip_protos = {kGre}, .first_bytes = ByteSet::of({0x20, 0x30}), .least_length = 12};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 4;
        Evidence evidence;
        std::array<Header, 2> last{};
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                Header now;
                const Reading reading = read_header(payload, now, claims);
                if (reading == Reading::fits) {
                    Header& before = last[index_of(payload.direction)];
                    add_links(now, before, last[index_of(opposite(payload.direction))], claims);
                    if (before.seen && !now.has_sequence) {
                        now.sequence = before.sequence;
                        now.has_sequence = before.has_sequence;
                    }
                    before = now;
                }
                return reading;
            });
        if (!holds) {
            return {};
        }
        evidence.set_variant("gre");
        return evidence;
    }

  private:
    static void add_links(const Header& now,
                          const Header& before,
                          const Header& other,
                          Claims& claims) noexcept {
        constexpr std::uint32_t kMostStep = 64;
        if (before.seen && before.has_sequence && now.has_sequence && now.call == before.call &&
            now.sequence > before.sequence && now.sequence - before.sequence <= kMostStep) {
            claims.add(kSequence, 6, 6, 30);
        }
        // Small numbers: worth less than their 32 bits.
        if (now.acknowledged_at != 0 && other.has_sequence && now.acknowledged == other.sequence) {
            claims.add(kAcknowledged, now.acknowledged_at, 4, 16);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::pptp_gre
