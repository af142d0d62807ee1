// Tunnels in the data of ICMP echo messages (RFC 792, RFC 4443 §4): the head holds the data, from
// octet 8 of the message; type and code stand in the place of the ports.
//
//  ip-in-echo   an IP packet, as long as the data
//  ptunnel      d5 20 08 80 | address 4 | port 4 | state 4: flag 0x40000000 user or 0x80000000
//               proxy, and 0..4 | acknowledged 4 | length 4 | sequence 2 | id 2 | data, even
//               (ptunnel-ng begins with de ad c0 de)
//  hans         "hanc" client or "hans" server | type 1..9 | type 7: an IP packet
//  icmptunnel   "LNUT" client or "TUNL" server | flags 0..1 | type 0..5 | type 3: an IP packet
//
// ICMP itself is confirmed by its protocol number: a tunnel says nothing unless its own octets
// reach that too. A reply that only repeats what the other side sent is a host that answers pings.
//
// Sources: RFC 791; ptunnel (ptunnel.h, pkt.h); hans (worker.h, client.cpp, server.cpp);
// icmptunnel by J. Barlow-Bignell (protocol.h).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/claims.hpp"
#include "fingerprint/inner_packet.hpp"
#include "fingerprint/inner_transport.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::icmp_tunnel {

inline constexpr Rule kPacket{"icmp-tunnel.inner_packet",
                              "the data are an IP packet of exactly their length, an IPv4 header's "
                              "checksum right; RFC 791 §3.1, RFC 8200 §3"};
inline constexpr Rule kFragment{"icmp-tunnel.inner_whole",
                                "the inner packet is no fragment; RFC 791 §3.1"};
inline constexpr Rule kTransport{
    "icmp-tunnel.inner_transport",
    "the inner packet is an echo, TCP or UDP of fitting form; RFC 792, "
    "RFC 9293, RFC 768"};
inline constexpr Rule kChecksum{"icmp-tunnel.inner_checksum",
                                "the checksum of the inner message is right; RFC 1071"};
inline constexpr Rule kSwapped{"icmp-tunnel.inner_addresses",
                               "both sides carry packets between the same two addresses"};
inline constexpr Rule kPtunnel{"icmp-tunnel.ptunnel_magic",
                               "d5 20 08 80, or de ad c0 de of ptunnel-ng; ptunnel.h"};
inline constexpr Rule kPtunnelState{"icmp-tunnel.ptunnel_state",
                                    "a state of five under a user's or a proxy's flag; ptunnel.h"};
inline constexpr Rule kPtunnelLength{"icmp-tunnel.ptunnel_length",
                                     "the length said is that of the data behind the header; "
                                     "pkt.h"};
inline constexpr Rule kMagic{"icmp-tunnel.magic",
                             "hanc, hans, LNUT or TUNL; hans client.cpp, icmptunnel protocol.h"};
inline constexpr Rule kType{"icmp-tunnel.type",
                            "a message type in use; hans worker.h, icmptunnel protocol.h"};

inline constexpr std::array<std::string_view, 4> kVariants{
    "ip-in-echo", "ptunnel", "hans", "icmptunnel"};
inline constexpr std::array<const Rule*, 10> kRules{&kPacket,
                                                    &kFragment,
                                                    &kTransport,
                                                    &kChecksum,
                                                    &kSwapped,
                                                    &kPtunnel,
                                                    &kPtunnelState,
                                                    &kPtunnelLength,
                                                    &kMagic,
                                                    &kType};

struct Matcher {
    static constexpr std::uint8_t kIcmp = 1;
    static constexpr std::uint8_t kIcmpV6 = 58;

    static constexpr MatcherInfo info{.protocol = "icmp-tunnel",
                                      .protocol_class = ProtocolClass::covert,
                                      .title = "Tunnel in ICMP echo",
                                      .ports = {},
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 791, RFC 792, ptunnel, hans, icmptunnel"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kIcmp, kIcmpV6},
        .first_bytes = ByteSet::of({0x45, 0x60, 0xd5, 0xde, 'h', 'L', 'T'}),
        .least_length = 5};

    static Evidence match(const FlowHead& head) noexcept {
        if (!is_echo(head)) {
            return {};
        }
        Talk talk;
        Tally tally;
        for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
            const Payload payload = head.payload(entry);
            if (payload.length > 0 && !is_repeated(head, payload)) {
                const Reading reading = read_one(talk, head, payload);
                tally.add(reading);
            }
        }
        talk.evidence.set_variant(talk.variant);
        return tally.holds() ? talk.evidence : Evidence{};
    }

  private:
    struct Talk {
        Evidence evidence;
        std::string_view variant;
        std::array<bool, 2> spoke{};
        std::array<InnerTransport, 2> inner;  // by direction, the latest
    };

    static bool is_echo(const FlowHead& head) noexcept {
        const bool v6 = head.ip_proto == kIcmpV6;
        const std::uint16_t type = head.src_port;
        return head.dst_port == 0 && (v6 ? type == 128 || type == 129 : type == 0 || type == 8);
    }

    // The other side, or this one again, with the very same octets.
    static bool is_repeated(const FlowHead& head, const Payload& payload) noexcept {
        for (std::size_t entry = 0; entry < payload.entry; ++entry) {
            const Payload before = head.payload(entry);
            if (before.length == payload.length && std::equal(before.bytes.begin(),
                                                              before.bytes.end(),
                                                              payload.bytes.begin(),
                                                              payload.bytes.end())) {
                return true;
            }
        }
        return false;
    }

    static Reading read_one(Talk& talk, const FlowHead& head, const Payload& payload) noexcept {
        const std::uint8_t first = at(payload.bytes, 0).u8();
        Claims claims;
        std::string_view variant;
        std::size_t packet = payload.length;  // where an inner packet begins
        Reading reading = Reading::contradicts;
        if (first == 0x45 || first == 0x60) {
            variant = kVariants[0];
            packet = 0;
            reading = Reading::fits;
        }
        if (reading == Reading::contradicts && (first == 0xd5 || first == 0xde)) {
            variant = kVariants[1];
            reading = read_ptunnel(payload, claims);
        }
        if (reading == Reading::contradicts) {
            reading = read_framed(payload, claims, variant, packet);
        }
        if (reading == Reading::fits && packet < payload.length) {
            reading =
                inner::read_ip(payload, {packet, payload.length, Fit::exact}, kPacket, claims);
        }
        const bool same = talk.variant.empty() || talk.variant == variant;
        if (reading != Reading::fits || !same) {
            return reading == Reading::cut ? reading : Reading::contradicts;
        }
        talk.variant = variant;
        claims.give(talk.evidence, head, payload.entry);
        if (packet < payload.length) {
            add_inner(talk, head, payload, packet);
        }
        talk.spoke[index_of(payload.direction)] = true;
        return Reading::fits;
    }

    // What stands behind the inner IP header. Its form is news once, its checksum always.
    static void add_inner(Talk& talk,
                          const FlowHead& head,
                          const Payload& payload,
                          std::size_t packet) noexcept {
        const InnerTransport found = read_inner_transport(payload.bytes, packet, payload.length);
        const std::size_t direction = index_of(payload.direction);
        const std::size_t other = index_of(opposite(payload.direction));
        Evidence& evidence = talk.evidence;
        if (!talk.spoke[0] && !talk.spoke[1]) {
            const bool v4 = payload.bytes[packet] >> 4U == 4;
            if (v4 && !found.fragment) {
                // More fragments and the offset: 14 zeros at about half a bit each.
                evidence.add(kFragment, head, payload.entry, packet + 6, 2, 6);
            }
        }
        if (found.form_length != 0 && !talk.spoke[direction]) {
            evidence.add(
                kTransport, head, payload.entry, found.form_at, found.form_length, found.form_bits);
        }
        if (found.message_length != 0) {
            evidence.add(
                kChecksum, head, payload.entry, found.message_at, found.message_length, 16);
        }
        if (!talk.spoke[direction] && talk.spoke[other] && is_swapped(found, talk.inner[other])) {
            // Two addresses, often of one network: 24 of 64.
            evidence.add(
                kSwapped, head, payload.entry, found.addresses_at, found.source.size() * 2, 24);
        }
        talk.inner[direction] = found;
    }

    static bool is_swapped(const InnerTransport& left, const InnerTransport& right) noexcept {
        return !left.source.empty() && std::ranges::equal(left.source, right.destination) &&
               std::ranges::equal(left.destination, right.source);
    }

    static Reading read_ptunnel(const Payload& payload, Claims& claims) noexcept {
        constexpr std::uint32_t kWord = 0xd5200880, kNewWord = 0xdeadc0de;
        constexpr std::size_t kHeader = 28;
        constexpr std::uint32_t kUser = 0x40000000, kProxy = 0x80000000;
        ByteReader reader(payload.bytes);
        const std::uint32_t magic = reader.be32();
        reader.skip(8);
        const std::uint32_t state = reader.be32();
        reader.skip(4);
        const std::uint32_t length = reader.be32();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const std::uint32_t kind = state & 0xffU;
        const bool flagged = state == (kind | kUser) || state == (kind | kProxy);
        // A datagram of odd length is padded.
        const bool fits = payload.length >= kHeader && length <= payload.length - kHeader &&
                          payload.length - kHeader - length <= 1;
        if ((magic != kWord && magic != kNewWord) || !flagged || kind > 4 || !fits) {
            return Reading::contradicts;
        }
        // Either of two words.
        claims.add(kPtunnel, 0, 4, 31);
        // Ten values of 2^32, most of it zeros: 20. A small number that is the length: 14.
        claims.add(kPtunnelState, 12, 4, 20);
        claims.add(kPtunnelLength, 20, 4, 14);
        return Reading::fits;
    }

    // hans and icmptunnel: a word, a type, and behind some types an IP packet, at `packet`.
    static Reading read_framed(const Payload& payload,
                               Claims& claims,
                               std::string_view& variant,
                               std::size_t& packet) noexcept {
        const Bytes bytes = payload.bytes;
        const bool hans = has_text(bytes, "hanc") || has_text(bytes, "hans");
        const bool tunnel = has_text(bytes, "LNUT") || has_text(bytes, "TUNL");
        const std::size_t header = hans ? 5 : 6;
        if ((!hans && !tunnel) || payload.length < header) {
            return Reading::contradicts;
        }
        if (bytes.size() < header) {
            return Reading::cut;
        }
        const std::uint8_t type = bytes[header - 1];
        const bool known = hans ? type >= 1 && type <= 9 : type <= 5 && bytes[4] <= 1;
        if (!known) {
            return Reading::contradicts;
        }
        variant = hans ? kVariants[2] : kVariants[3];
        packet = type == (hans ? 7 : 3) ? header : payload.length;
        // One of four words; text, so 28. A type of nine 4; flags of two and a type of six 9.
        claims.add(kMagic, 0, 4, 28);
        claims.add(kType, 4, header - 4, hans ? 4 : 9);
        return Reading::fits;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::icmp_tunnel
