// VTun's data over UDP, from the server's port beside its TCP connection:
//
//  0                     2
// | flags 4, length 12 | data, as long as that says
//   flags 0: data | 2: echo request, alone | 4: echo reply, alone
//
// Both ends ask for an echo as soon as they are connected, and again when nothing was heard.
// Lengths before data are many protocols' way: without an echo nothing is said. Sources: vtun
// linkfd.h, linkfd.c, udp_proto.c; bytes of vtun 3.0.4.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/claims.hpp"

namespace flowclass::fingerprint::vtun_udp {

inline constexpr Rule kAsk{"vtun.echo_request",
                           "20 00 alone in a datagram; vtun linkfd.h, VTUN_ECHO_REQ"};
inline constexpr Rule kAnswer{"vtun.echo_reply",
                              "40 00 alone in a datagram; vtun linkfd.h, VTUN_ECHO_REP"};
inline constexpr Rule kLength{"vtun.frame_length",
                              "two octets say how long the rest is; vtun udp_proto.c"};

inline constexpr std::array<const Rule*, 3> kRules{&kAsk, &kAnswer, &kLength};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "vtun",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "VTun, data over UDP",
                                      .ports = {},
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "vtun linkfd.h, linkfd.c, udp_proto.c"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::of({0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x20, 0x40}),
        .least_length = 2};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        if (!gather(head, evidence, kMaxEntries, read_one)) {
            return {};
        }
        bool echo = false;
        for (const Check& check : evidence.checks()) {
            echo = echo || check.rule != &kLength;
        }
        return echo ? evidence : Evidence{};
    }

  private:
    static Reading read_one(const Payload& payload, Claims& claims) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint16_t word = reader.be16();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if (payload.length == 2 && (word == 0x2000 || word == 0x4000)) {
            // Sixteen bits, but round numbers: 14.
            claims.add(word == 0x2000 ? kAsk : kAnswer, 0, 2, 14);
            return Reading::fits;
        }
        if (word == 0 || word != payload.length - 2) {
            return Reading::contradicts;
        }
        // A length is small and others begin so too: 10 of 16.
        claims.add(kLength, 0, 2, 10);
        return Reading::fits;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::vtun_udp
