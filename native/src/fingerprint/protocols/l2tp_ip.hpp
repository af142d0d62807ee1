// Layer Two Tunneling Protocol version 3 over IP, protocol 115.
//
//  Data: 0 session 4, not 0 | [cookie 4 or 8] [sublayer 4] frame
//  Control: 0 zeros 4 | 4 C803 | length be16 from octet 4 | control connection 4 | Ns 2 | Nr 2 |
//  pairs
//
// The protocol number is assigned to L2TP alone; a control message, an inner frame or a session
// that repeats has to hold. Sources: RFC 3931 §4.1.1, §3.2.1, §5.4; RFC 4719.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/l2tp_message.hpp"

namespace flowclass::fingerprint::l2tp_ip {

using l2tp_message::Control;

inline constexpr std::uint8_t kL2tp = 115;

inline constexpr Rule kControl{
    "l2tp_ip.control", "session 0, control flags of version 3, an exact length; RFC 3931 §4.1.1.2"};
inline constexpr Rule kMessage{"l2tp_ip.message_type",
                               "the first pair is a message type in use; RFC 3931 §5.4.1"};
inline constexpr Rule kAssigned{
    "l2tp_ip.assigned_id",
    "the header has the control connection that the peer assigned; RFC 3931 §5.4.3"};
inline constexpr Rule kSession{"l2tp_ip.session", "the same session again; RFC 3931 §4.1.1.1"};
inline constexpr Rule kFrame{"l2tp_ip.frame",
                             "an EtherType in use behind the session and its cookie; RFC 4719"};
inline constexpr Rule kPacket{"l2tp_ip.packet",
                              "the packet in the frame holds: version, length, checksum, or ARP"};

inline constexpr std::array<std::string_view, 1> kVariants{"ip"};
inline constexpr std::array<const Rule*, 6> kRules{
    &kControl, &kMessage, &kAssigned, &kSession, &kFrame, &kPacket};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "l2tp",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Layer Two Tunneling Protocol version 3 over IP",
                                      .ports = {},
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 3931"};
    static constexpr Prefilter prefilter{.ip_protos = {kL2tp}, .least_length = 5};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::size_t kMostPackets = 4;
        Evidence evidence;
        std::array<std::uint32_t, 2> sessions{};
        std::array<std::uint32_t, 2> assigned{};
        const bool holds =
            gather(head, evidence, kMostPackets, [&](const Payload& payload, Claims& claims) {
                ByteReader reader(payload.bytes);
                const std::uint32_t session = reader.be32();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const std::size_t side = index_of(payload.direction);
                if (session == 0) {
                    return read_control(
                        payload, assigned[side], assigned[1 - side], evidence, claims);
                }
                if (session == sessions[side]) {
                    claims.add(kSession, 0, 4, 28);
                }
                sessions[side] = session;
                l2tp_message::read_frame(payload, 4, {kFrame, kPacket}, claims);
                return Reading::fits;
            });
        if (!holds) {
            return {};
        }
        evidence.set_variant("ip");
        evidence.set_assigned_ip_protocol();
        return evidence;
    }

  private:
    static Reading read_control(const Payload& payload,
                                std::uint32_t& own,
                                std::uint32_t other,
                                Evidence& evidence,
                                Claims& claims) noexcept {
        Control control;
        const Reading reading =
            l2tp_message::read_control(payload, 4, {kControl, kMessage}, control, claims);
        if (reading != Reading::fits || !control.third) {
            return reading == Reading::fits ? Reading::contradicts : reading;
        }
        if (control.peer != 0 && control.peer == other) {
            claims.add(kAssigned, control.peer_at, control.peer_length, 24);
        }
        own = control.assigned != 0 ? control.assigned : own;
        if (control.kind == l2tp_message::kStartRequest) {
            evidence.set_initiator(payload.direction);
        } else if (control.kind == l2tp_message::kStartReply) {
            evidence.set_initiator(opposite(payload.direction));
        }
        return reading;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::l2tp_ip
