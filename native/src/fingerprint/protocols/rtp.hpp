// RTP and RTCP, also where SRTP hides what is behind the header (RFC 3550 §5.1, §6.1; RFC 3711).
//
//  0              1               2                 4              8
// |V=2|P|X| CC   |M| payload type | sequence number | time stamp   | synchronisation source |   RTP
// |V=2|P| count  | type 200-207   | length in words | synchronisation source | ...             RTCP
//
// Nothing in one RTP packet is constant but two bits. What proves it is the run: at least three
// packets of one direction with one source and payload type, the sequence number rising by one, the
// time stamp going on. A tunnel's constant word and counter is no such run: there octets 2 and 3
// stay, here they count.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint::rtp {

inline constexpr Rule kHeader{"rtp.header",
                              "version 2, and a length that holds the sources it counts; RFC 3550 "
                              "§5.1"};
inline constexpr Rule kSequence{"rtp.sequence",
                                "the sequence number rises by 1, or a few where packets are lost; "
                                "RFC 3550 §5.1"};
inline constexpr Rule kSource{"rtp.source",
                              "the same synchronisation source and payload type as the packet "
                              "before; RFC 3550 §5.1"};
inline constexpr Rule kClock{"rtp.clock",
                             "the time stamp stays or goes on by less than 2^20; RFC 3550 §5.1"};
inline constexpr Rule kRtcp{"rtp.rtcp",
                            "RTCP packets of type 200 to 207 whose lengths end where the datagram "
                            "ends; RFC 3550 §6.1"};
inline constexpr Rule kRtcpFirst{"rtp.rtcp_first",
                                 "a report at the front whose length lies in the datagram, the "
                                 "rest encrypted or not kept; RFC 3711 §3.4"};
inline constexpr Rule kRtcpSource{"rtp.rtcp_source",
                                  "the same synchronisation source as the RTCP packet before; RFC "
                                  "3550 §6.4"};

inline constexpr std::array<std::uint16_t, 2> kPorts{5004, 5005};
inline constexpr std::array<std::string_view, 1> kVariants{"rtcp"};
inline constexpr std::array<const Rule*, 7> kRules{
    &kHeader, &kSequence, &kSource, &kClock, &kRtcp, &kRtcpFirst, &kRtcpSource};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "rtp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Real-time Transport Protocol",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 3550, RFC 3551, RFC 3711, RFC 7983"};
    // Version 2; 0 and 1 because STUN comes first where ICE is used, 20 to 22 for DTLS-SRTP.
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::range(0x80, 0xbf) | ByteSet::of({0x00, 0x01, 0x14, 0x15, 0x16}),
        .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        Evidence control;
        std::array<std::size_t, 2> linked{};
        std::array<std::uint32_t, 2> reporter{};
        std::size_t reports = 0;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            const std::uint8_t type = at(payload.bytes, 1).u8();
            if (payload.length < 8) {
                continue;  // a keepalive
            }
            if (payload.bytes.size() < 8 || payload.bytes[0] >> 6U != 2) {
                if (!shares_flow(payload)) {
                    return {};
                }
            } else if (type >= 200 && type <= 207) {
                reports += add_report(control, head, payload, reporter) ? 1U : 0U;
            } else {
                const bool goes_on = add_media(evidence, head, payload);
                linked[index_of(payload.direction)] += goes_on ? 1U : 0U;
            }
        }
        // Three packets of one direction are two links.
        const bool media = linked[0] >= 2 || linked[1] >= 2;
        if (!media && reports == 0) {
            return {};
        }
        if (!media) {
            control.set_variant("rtcp");
            return control;
        }
        return evidence;
    }

  private:
    struct Header {
        std::uint8_t first = 0;
        std::uint8_t type = 0;  // without the marker
        std::uint16_t sequence = 0;
        std::uint32_t clock = 0;
        std::uint32_t source = 0;
        bool ok = false;
    };

    // What RFC 7983 lets share the flow: STUN, ZRTP, DTLS, TURN channels.
    static bool shares_flow(const Payload& payload) noexcept {
        const std::uint8_t first = at(payload.bytes, 0).u8();
        return first <= 3 || (first >= 16 && first <= 79);
    }

    static Header read(const Payload& payload) noexcept {
        ByteReader reader(payload.bytes);
        Header header;
        header.first = reader.u8();
        header.type = reader.u8() & 0x7fU;
        header.sequence = reader.be16();
        header.clock = reader.be32();
        header.source = reader.be32();
        const std::size_t size = 12U + (header.first & 0x0fU) * 4U;
        header.ok = reader.ok() && header.first >> 6U == 2 && payload.length >= size;
        return header;
    }

    // True when this packet goes on where an earlier one of its direction and source stopped.
    static bool add_media(Evidence& evidence,
                          const FlowHead& head,
                          const Payload& payload) noexcept {
        const Header header = read(payload);
        if (!header.ok) {
            return false;
        }
        for (std::size_t before = payload.entry; before-- > 0;) {
            const Payload earlier = head.payload(before);
            const Header old = read(earlier);
            if (earlier.direction != payload.direction || !old.ok || old.source != header.source ||
                old.type != header.type) {
                continue;
            }
            const auto step = static_cast<std::uint16_t>(header.sequence - old.sequence);
            const std::uint32_t ticks = header.clock - old.clock;
            if (step == 0 || step > 16 || ticks >= 1U << 20U || header.source == 0) {
                return false;
            }
            // Octets of zero say nothing; a constant word is common, so half of the rest.
            evidence.add(kSequence, head, payload.entry, 2, 2, step == 1 ? 16 : 12);
            evidence.add(kSource, head, payload.entry, 8, 4, 4 * octets_set(header.source));
            evidence.add(kClock, head, payload.entry, 4, 2, ticks == 0 ? 6 : 12);
            return true;
        }
        evidence.add(kHeader, head, payload.entry, 0, 1, 2);
        return false;
    }

    static int octets_set(std::uint32_t value) noexcept {
        int set = 0;
        for (unsigned shift = 0; shift < 32; shift += 8) {
            set += (value >> shift & 0xffU) != 0 ? 1 : 0;
        }
        return set;
    }

    // A compound packet as far as it is clear and kept.
    struct Compound {
        std::size_t packets = 0;
        std::size_t end = 0;
        std::uint32_t source = 0;  // of the first
    };

    static Compound walk(const Payload& payload) noexcept {
        Compound compound;
        while (compound.end < payload.length) {
            ByteReader reader = at(payload.bytes, compound.end);
            const std::uint8_t first = reader.u8();
            const std::uint8_t type = reader.u8();
            const std::uint16_t words = reader.be16();
            const std::uint32_t source = reader.be32();
            if (!reader.ok() || first >> 6U != 2 || type < 200 || type > 207) {
                break;
            }
            compound.source = compound.packets == 0 ? source : compound.source;
            compound.end += std::size_t{words} * 4 + 4;
            ++compound.packets;
        }
        return compound;
    }

    static bool add_report(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload,
                           std::array<std::uint32_t, 2>& reporter) noexcept {
        const Compound compound = walk(payload);
        const std::uint8_t type = payload.bytes[1];
        if (compound.packets == 0 || compound.end > payload.length || compound.source == 0) {
            return false;
        }
        const bool more = compound.packets > 1;
        if (compound.end == payload.length) {
            // 2 bits of version, 5 of type, 16 of lengths that end with the datagram; more for a
            // packet that follows.
            evidence.add(kRtcp, head, payload.entry, 0, 4, more ? 30 : 23);
        } else if (type == 200 || type == 201) {
            evidence.add(kRtcpFirst, head, payload.entry, 0, 4, more ? 19 : 12);
        } else {
            return false;
        }
        std::uint32_t& known = reporter[index_of(payload.direction)];
        if (known == compound.source) {
            evidence.add(kRtcpSource, head, payload.entry, 4, 4, 4 * octets_set(known));
        }
        known = compound.source;
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::rtp
