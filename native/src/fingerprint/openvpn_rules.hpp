// The rules that tell an OpenVPN session, over UDP and TCP alike. Takes nothing. Gives: their ids
// and what they mean.
//
// Sources: openvpn-rfc openvpn-wire-protocol.xml; openvpn/src/openvpn/ssl_pkt.h, packet_id.c.
#pragma once

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint::openvpn {

inline constexpr Rule kReset{"openvpn.reset",
                             "hard reset opcode with key id 0, of the one length its wrapping has; "
                             "openvpn-wire-protocol §3"};
inline constexpr Rule kResetBody{
    "openvpn.reset_body",
    "a reset is message 0, and acknowledges nothing (client) or message 0 (server); "
    "openvpn-wire-protocol §3"};
inline constexpr Rule kPacketId{"openvpn.packet_id",
                                "the replay packet id starts at 1 and rises by one; packet_id.c"};
inline constexpr Rule kNetTime{
    "openvpn.net_time", "the clear time stamp is within an hour of the capture time; packet_id.c"};
inline constexpr Rule kSameNetTime{
    "openvpn.same_net_time",
    "the clear time stamp stays the same in all packets of a direction; packet_id.c"};
inline constexpr Rule kSession{
    "openvpn.session_repeat",
    "the same random session id in another packet of the direction; openvpn-wire-protocol §3"};
inline constexpr Rule kSessionEcho{
    "openvpn.session_echo",
    "the acknowledgement names the other side's session id; openvpn-wire-protocol §3"};
inline constexpr Rule kAck{
    "openvpn.ack", "an acknowledgement is exactly as long as the ids it carries; ssl_pkt.h"};
inline constexpr Rule kTls{"openvpn.tls_record",
                           "a TLS record begins where the control payload does; RFC 5246 §6.2.1"};
inline constexpr Rule kWrappedKey{
    "openvpn.wrapped_key",
    "the packet ends in the length of the wrapped client key before it; doc/tls-crypt-v2.txt"};
inline constexpr Rule kResetPair{
    "openvpn.reset_pair",
    "the server's reset is as long as the client's and an acknowledgement of it; "
    "openvpn-wire-protocol §3"};
inline constexpr Rule kSegment{
    "openvpn.segment",
    "the length in front of a reset leads to the end of its segment; openvpn-wire-protocol §2"};

}  // namespace flowclass::fingerprint::openvpn
