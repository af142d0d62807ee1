// OpenVPN over UDP, any port: control channel plain, under tls-auth, tls-crypt or tls-crypt-v2, and
// data in the middle of a session. The layouts stand in fingerprint/openvpn_packet.hpp, the rules
// in fingerprint/openvpn_session.hpp; a datagram is a packet.
//
//  lengths          client reset   server reset   ACK of one
//  plain                14             26             22
//  tls-auth, HMAC H   22 + H         34 + H         26 + H + 4
//  tls-crypt            54             66             62
//  tls-crypt-v2   54 + wrapped key  66 or 72          62
//
// Opcodes alone are worthless: VXLAN, DNS, RPC and QUIC begin with the same octets.
// Sources: openvpn-rfc openvpn-wire-protocol.xml; openvpn/src/openvpn/ssl_pkt.h; Xue et al.,
// "OpenVPN is Open to VPN Fingerprinting", USENIX Security 2022 §6.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/openvpn_session.hpp"

namespace flowclass::fingerprint::openvpn {

inline constexpr std::array<std::uint16_t, 1> kPorts{1194};
inline constexpr std::array<std::string_view, 10> kVariants{"plain",
                                                            "tls-auth-md5",
                                                            "tls-auth-sha1",
                                                            "tls-auth-sha224",
                                                            "tls-auth-sha256",
                                                            "tls-auth-sha384",
                                                            "tls-auth-sha512",
                                                            "tls-crypt",
                                                            "tls-crypt-v2",
                                                            "data"};
inline constexpr std::array<const Rule*, 13> kRules{&kReset,
                                                    &kResetBody,
                                                    &kPacketId,
                                                    &kNetTime,
                                                    &kSameNetTime,
                                                    &kSession,
                                                    &kSessionEcho,
                                                    &kAck,
                                                    &kTls,
                                                    &kWrappedKey,
                                                    &kResetPair,
                                                    &kDataRun,
                                                    &kBlockRun};

// Opcodes 3 to 11 with any key id.
inline constexpr ByteSet kFirstBytes = ByteSet::range(0x18, 0x5f);

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "openvpn",
        .protocol_class = ProtocolClass::vpn,
        .title = "OpenVPN",
        .ports = kPorts,
        .variants = kVariants,
        .rules = kRules,
        .sources = "openvpn-wire-protocol.xml, ssl_pkt.h; Xue et al. 2022"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = kFirstBytes, .least_length = 14};

    static Evidence match(const FlowHead& head) noexcept {
        if (!is_alone(head)) {
            return {};
        }
        Packets packets;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            if (!payload.bytes.empty()) {
                packets.add(
                    {payload.bytes, payload.length, payload.time, entry, entry, payload.direction});
            }
        }
        return judge_packets(head, packets);
    }

  private:
    // OpenVPN shares its ports with nothing: one packet that is none of its own ends it.
    static bool is_alone(const FlowHead& head) noexcept {
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Bytes bytes = head.payload(entry).bytes;
            if (!bytes.empty() && (!kFirstBytes.contains(bytes[0]) || is_stun(bytes))) {
                return false;
            }
        }
        return true;
    }
    // RFC 8489 §5.
    static bool is_stun(Bytes bytes) noexcept { return at(bytes, 4).be32() == 0x2112'a442; }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::openvpn
