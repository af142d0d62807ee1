// Zoom's media connections to its servers.
//
// Set-up: 01 00 | 1 | id 16 | zeros 7 | ...        answer: 02 00 | 1 | id 16 | connection 4 | ...
// Keep-alive: 03 or 04 | number 4 | clock 4 | connection 4
// Between clients: 1f 02 01 | 4 or 8, 1, 8 or 4: three words | ... | length 4, the address as text
// Media:  05 | number 2 | connection 4 | direction 0, 4 | kind: 0d screen, 0f audio, 10 video | ...
// | RTP, 27, 19 or 24 octets from the kind
//
// Sources: Michel et al. (ACM IMC 2022), public captures.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::zoom {

inline constexpr Rule kSetUp{"zoom.set_up", "kind 1 or 2 and a zero octet; public captures"};
inline constexpr Rule kId{"zoom.id_echo",
                          "the answer has the sixteen octets of the set-up; public captures"};
inline constexpr Rule kConnection{
    "zoom.connection",
    "a keep-alive or a packet with the connection of the answer; public captures"};
inline constexpr Rule kPeer{"zoom.peer",
                            "1f 02 01 and three words 4 or 8, 1, 8 or 4; public captures"};
inline constexpr Rule kMedia{
    "zoom.media_header",
    "kind 5, a direction of 0 or 4, a media kind with RTP at its place; Michel et al., Enabling "
    "Passive Measurement of Zoom Performance, IMC 2022, §4.2"};
inline constexpr Rule kRtp{
    "zoom.rtp",
    "RTP goes on: the same source, the next sequence number; IMC 2022, §4.2, RFC 3550 §5.1"};
inline constexpr Rule kPort{"zoom.port", "UDP port 8801 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{8801};
inline constexpr std::array<const Rule*, 7> kRules{
    &kSetUp, &kId, &kConnection, &kPeer, &kMedia, &kRtp, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "zoom",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Zoom media",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "Michel et al. (ACM IMC 2022), public captures"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::range(1, 5) | ByteSet::of({0x1f}),
                                         .least_length = 13};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        State state;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            const std::uint8_t kind = at(payload.bytes, 0).u8();
            if (kind == 1 || kind == 2) {
                add_set_up(evidence, head, payload, state);
            } else if (kind == 0x1f) {
                add_peer(evidence, head, payload, state);
            } else if (kind == 3 || kind == 4 || kind == 5) {
                add_packet(evidence, head, payload, state);
            }
        }
        const bool known = state.answered || state.runs > 0 || state.peers[0] || state.peers[1];
        if (!known) {
            return {};
        }
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    struct State {
        Bytes id;  // of the set-up
        Direction asked = Direction::forward;
        std::uint32_t connection = 0;
        std::array<std::size_t, 2> media{kMaxEntries,
                                         kMaxEntries};  // the entry of the last of each direction
        std::size_t runs = 0;
        std::array<bool, 2> peers{};
        bool answered = false;
        bool connected = false;
    };

    static void add_set_up(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload,
                           State& state) noexcept {
        const Bytes id = at(payload.bytes, 3).bytes(16);
        if (id.empty() || payload.bytes[1] != 0) {
            return;
        }
        if (payload.bytes[0] == 1) {
            state.id = id;
            state.asked = payload.direction;
        } else if (!state.answered && !state.id.empty() && state.asked != payload.direction &&
                   std::equal(id.begin(), id.end(), state.id.begin())) {
            state.answered = true;
            state.connection = at(payload.bytes, 19).be32();
            // Sixteen random octets; kinds and zeros of both 24.
            evidence.add(kSetUp, head, payload.entry, 0, 2, 12);
            evidence.add(kId, head, payload.entry, 3, 16, 80);
            evidence.set_initiator(opposite(payload.direction));
        }
    }

    static void add_peer(Evidence& evidence,
                         const FlowHead& head,
                         const Payload& payload,
                         State& state) noexcept {
        ByteReader reader = at(payload.bytes, 1);
        const std::uint16_t front = reader.be16();
        const std::uint16_t mine = reader.be16();
        const std::uint16_t middle = reader.be16();
        const std::uint16_t other = reader.be16();
        bool& told = state.peers[index_of(payload.direction)];
        const bool words = (mine == 4 && other == 8) || (mine == 8 && other == 4);
        if (reader.ok() && !told && front == 0x0201 && middle == 1 && words) {
            told = true;
            // Three constants 8 each, three words of small numbers 10 each, less one.
            evidence.add(kPeer, head, payload.entry, 0, 9, 48);
        }
    }

    // Where RTP begins in a media packet; 0 when none can.
    static std::size_t rtp_place(const Payload& payload) noexcept {
        const std::uint8_t direction = at(payload.bytes, 7).u8();
        const std::uint8_t kind = at(payload.bytes, 8).u8();
        const std::size_t place = kind == 0x0d   ? 8 + 27U
                                  : kind == 0x0f ? 8 + 19U
                                  : kind == 0x10 ? 8 + 24U
                                                 : 0;
        const bool version =
            at(payload.bytes, place).u8() >> 6U == 2 && payload.length >= place + 12;
        return (direction == 0 || direction == 4) && place != 0 && version &&
                       payload.bytes.size() >= place + 12
                   ? place
                   : 0;
    }

    static void add_packet(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload,
                           State& state) noexcept {
        const bool media = payload.bytes[0] == 5;
        const std::size_t connection_at = media ? 3 : 9;
        if (state.answered && !state.connected && state.connection != 0 &&
            at(payload.bytes, connection_at).be32() == state.connection) {
            state.connected = true;
            evidence.add(kConnection, head, payload.entry, connection_at, 4, 24);
        }
        const std::size_t place = media ? rtp_place(payload) : 0;
        if (place == 0) {
            return;
        }
        std::size_t& before = state.media[index_of(payload.direction)];
        if (before < kMaxEntries) {
            const Payload earlier = head.payload(before);
            const std::size_t old = rtp_place(earlier);
            const auto step = static_cast<std::uint16_t>(at(payload.bytes, place + 2).be16() -
                                                         at(earlier.bytes, old + 2).be16());
            if (old == place &&
                at(payload.bytes, place + 8).be32() == at(earlier.bytes, old + 8).be32() &&
                step >= 1 && step <= 8) {
                // Source half of 32, sequence 13.
                evidence.add(kRtp, head, payload.entry, place + 8, 4, state.runs == 0 ? 16 : 4);
                evidence.add(kRtp, head, payload.entry, place + 2, 2, state.runs == 0 ? 13 : 2);
                ++state.runs;
            }
        } else {
            // Kind 5 and direction 13, media kind 6, version 2.
            evidence.add(kMedia, head, payload.entry, 0, 1, 6);
            evidence.add(kMedia, head, payload.entry, 7, 2, 12);
            evidence.add(kMedia, head, payload.entry, place, 1, 2);
        }
        before = payload.entry;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::zoom
