// Layer Two Tunneling Protocol over UDP (usually port 1701), versions 2 and 3.
//
//  0 flags be16: T 8000, L 4000, S 0800, O 0200, P 0100, zeros, version (4 bits)
//  Control: C802 | length be16 | tunnel 2 | session 2 | Ns 2 | Nr 2 | pairs: 80 08 0000 0000 type
//  ...
//           C803 | length be16 | control connection 4 | Ns 2 | Nr 2 | pairs
//           without pairs: an acknowledgment
//  Data v2: [L: length] tunnel 2, session 2 [S: Ns, Nr] [O: offset size, padding] PPP
//  Data v3: 0003 0000 session 4 [cookie 4 or 8] [sublayer 4] frame
//
// Mostly it is inside ESP and not seen; bare it is a provider's link between LAC and LNS.
// Sources: RFC 2661 §3.1, §3.2, §4.1, §4.4; RFC 3931 §4.1.2, §5.4.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/l2tp_message.hpp"
#include "fingerprint/ppp_frame.hpp"

namespace flowclass::fingerprint::l2tp {

using l2tp_message::Control;

inline constexpr Rule kControl{
    "l2tp.control",
    "control flags of version 2 or 3, an exact length; RFC 2661 §3.1, RFC 3931 §3.2.1"};
inline constexpr Rule kMessage{"l2tp.message_type",
                               "the first pair is a message type in use; RFC 2661 §4.4.1"};
inline constexpr Rule kTunnel{
    "l2tp.assigned_id",
    "the header has the tunnel or control connection that the peer assigned; RFC 2661 §4.4.3"};
inline constexpr Rule kData{"l2tp.data",
                            "data flags of version 2, reserved bits zero; RFC 2661 §3.1"};
inline constexpr Rule kDataLength{"l2tp.data_length", "the data length is exact; RFC 2661 §3.1"};
inline constexpr Rule kSession{"l2tp.session",
                               "the same tunnel and session again; RFC 2661 §3.1, RFC 3931 §4.1.2"};
inline constexpr Rule kFrame{
    "l2tp.frame", "PPP address, control, protocol, or an EtherType in use; RFC 1661 §2, RFC 4719"};
inline constexpr Rule kPacket{
    "l2tp.packet",
    "the packet inside holds: code and length of a PPP control protocol, or IP; RFC 1661 §5"};
inline constexpr Rule kDataThree{
    "l2tp.data_v3", "data of version 3: flags, reserved zeros, a session; RFC 3931 §4.1.2.1"};
inline constexpr Rule kPort{"l2tp.port", "UDP port 1701 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{1701};
inline constexpr std::array<std::string_view, 2> kVariants{"v2", "v3"};
inline constexpr std::array<const Rule*, 10> kRules{&kControl,
                                                    &kMessage,
                                                    &kTunnel,
                                                    &kData,
                                                    &kDataLength,
                                                    &kSession,
                                                    &kFrame,
                                                    &kPacket,
                                                    &kDataThree,
                                                    &kPort};

// What a direction said so far.
struct Side {
    std::uint32_t assigned = 0;
    std::uint32_t session = 0;
};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "l2tp",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Layer Two Tunneling Protocol",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 2661, RFC 3931"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0xc8,
                                                                     0x00,
                                                                     0x01,
                                                                     0x02,
                                                                     0x03,
                                                                     0x08,
                                                                     0x09,
                                                                     0x0a,
                                                                     0x0b,
                                                                     0x40,
                                                                     0x41,
                                                                     0x42,
                                                                     0x43,
                                                                     0x48,
                                                                     0x49,
                                                                     0x4a,
                                                                     0x4b}),
                                         .least_length = 8,
                                         .octets = {{{1, ByteSet::of({2, 3})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 5;
        Evidence evidence;
        State state;
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                const std::uint16_t flags = at(payload.bytes, 0).be16();
                const Reading reading =
                    (flags & 0x8000U) != 0 ? read_control(payload, state, evidence, claims)
                    : flags == 0x0003      ? read_third(payload, state, claims)
                                           : read_data(payload, flags, state, claims);
                if (reading == Reading::fits) {
                    state.third = flags % 16 == 3;
                }
                return reading;
            });
        // Session numbers alone that repeat are what many protocols have.
        if (!holds || !state.strong) {
            return {};
        }
        evidence.set_variant(state.third ? "v3" : "v2");
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    struct State {
        std::array<Side, 2> sides{};
        bool third = false;
        bool strong = false;  // a control message, or data whose content holds
    };

    static Reading read_control(const Payload& payload,
                                State& state,
                                Evidence& evidence,
                                Claims& claims) noexcept {
        Control control;
        const Reading reading =
            l2tp_message::read_control(payload, 0, {kControl, kMessage}, control, claims);
        if (reading != Reading::fits) {
            return reading;
        }
        const Side& other = state.sides[index_of(opposite(payload.direction))];
        if (control.peer != 0 && control.peer == other.assigned) {
            claims.add(kTunnel, control.peer_at, control.peer_length, control.third ? 24 : 12);
        }
        if (control.assigned != 0) {
            state.sides[index_of(payload.direction)].assigned = control.assigned;
        }
        if (control.kind == l2tp_message::kStartRequest ||
            control.kind == l2tp_message::kStartReply) {
            evidence.set_initiator(control.kind == l2tp_message::kStartRequest
                                       ? payload.direction
                                       : opposite(payload.direction));
        }
        // Acknowledgments alone have few octets of their own, and fastd imitates them.
        state.strong = state.strong || control.kind != 0;
        return reading;
    }

    static void add_session(const Payload& payload,
                            std::uint32_t session,
                            std::size_t offset,
                            State& state,
                            Claims& claims) noexcept {
        Side& side = state.sides[index_of(payload.direction)];
        if (session == side.session) {
            claims.add(kSession, offset, 4, 20);
        }
        side.session = session;
    }

    static Reading read_data(const Payload& payload,
                             std::uint16_t flags,
                             State& state,
                             Claims& claims) noexcept {
        constexpr std::uint16_t kFixed = 0xb4ff;  // T, reserved, version
        constexpr std::uint16_t kLength = 0x4000;
        constexpr std::uint16_t kSequence = 0x0800;
        constexpr std::uint16_t kOffset = 0x0200;
        if (payload.bytes.size() < 2) {
            return ran_out(payload);
        }
        if ((flags & kFixed) != 2) {
            return Reading::contradicts;
        }
        ByteReader reader = at(payload.bytes, 2);
        const std::size_t length = (flags & kLength) != 0 ? reader.be16() : payload.length;
        const std::size_t ids_at = reader.position();
        const std::uint16_t tunnel = reader.be16();
        const std::uint16_t session = reader.be16();
        if ((flags & kSequence) != 0) {
            reader.skip(4);
        }
        if ((flags & kOffset) != 0) {
            reader.skip(reader.be16());
        }
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if (tunnel == 0 || session == 0 || length != payload.length) {
            return Reading::contradicts;
        }
        claims.add(kData, 0, 2, 10);  // sixteen of 65536, and they are small numbers
        if ((flags & kLength) != 0) {
            claims.add(kDataLength, 2, 2, 13);
        }
        const InnerPlace place{reader.position(), payload.length, Fit::padded};
        const inner::PppFrame frame = inner::read_ppp(payload, place, {kFrame, kPacket}, claims);
        if (frame.reading != Reading::fits) {
            return frame.reading;
        }
        state.strong = state.strong || frame.strong;
        add_session(
            payload, static_cast<std::uint32_t>(tunnel) << 16U | session, ids_at, state, claims);
        return Reading::fits;
    }

    static Reading read_third(const Payload& payload, State& state, Claims& claims) noexcept {
        ByteReader reader = at(payload.bytes, 2);
        const std::uint16_t zero = reader.be16();
        const std::uint32_t session = reader.be32();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if (zero != 0 || session == 0) {
            return Reading::contradicts;
        }
        claims.add(kDataThree, 0, 4, 14);  // three zeros, and a small number
        const bool framed = l2tp_message::read_frame(payload, 8, {kFrame, kPacket}, claims);
        state.strong = state.strong || framed;
        add_session(payload, session, 4, state, claims);
        return Reading::fits;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::l2tp
