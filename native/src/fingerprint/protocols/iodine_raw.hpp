// iodine's raw mode: once the handshake over DNS has shown that the server is reached directly, the
// tunnel goes on over plain UDP, usually to port 53 (doc/proto_00000502.txt, §2).
//
//  10 d1 9e | command << 4 + user | 1 login: MD5 16 | 2 data: a zlib stream | 3 ping: nothing
//
// Sources: iodine's doc/proto_00000502.txt, client.c (data are compressed at level 9); RFC 1950.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/claims.hpp"

namespace flowclass::fingerprint::iodine_raw {

inline constexpr Rule kMagic{"iodine.raw_magic", "10 d1 9e; proto_00000502 §2"};
inline constexpr Rule kCommand{"iodine.raw_command",
                               "a command from 1 to 3, a login of 20 octets, a ping of 4; "
                               "proto_00000502 §2"};
inline constexpr Rule kCompressed{"iodine.raw_compressed",
                                  "data begin as zlib at its best, 78 da; RFC 1950 §2.2, client.c"};
inline constexpr Rule kPort{"iodine.raw_port", "port 53 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{53};
inline constexpr std::array<std::string_view, 1> kVariants{"raw"};
inline constexpr std::array<const Rule*, 4> kRules{&kMagic, &kCommand, &kCompressed, &kPort};

inline Reading read_one(const Payload& payload, Claims& claims) noexcept {
    ByteReader reader(payload.bytes);
    const std::uint32_t magic = reader.be24();
    const unsigned command = reader.u8() >> 4U;
    if (!reader.ok()) {
        return ran_out(payload);
    }
    const bool sized = (command == 1 && payload.length == 20) ||
                       (command == 3 && payload.length == 4) ||
                       (command == 2 && payload.length > 4);
    if (magic != 0x10d19e || !sized) {
        return Reading::contradicts;
    }
    claims.add(kMagic, 0, 3, 24);
    // Three of 16: 2; an exact length: 6.
    claims.add(kCommand, 3, 1, command == 2 ? 2 : 8);
    const std::uint16_t header = reader.be16();
    if (command == 2 && reader.ok() && header == 0x78da) {
        claims.add(kCompressed, 4, 2, 16);
    }
    return Reading::fits;
}

// Adds what one payload proves; false when it is no raw packet.
inline bool add_message(Evidence& evidence, const FlowHead& head, const Payload& payload) noexcept {
    Claims claims;  // NOLINT(misc-const-correctness): `read_one` fills it
    if (read_one(payload, claims) != Reading::fits) {
        return false;
    }
    claims.give(evidence, head, payload.entry);
    return true;
}

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "iodine",
                                      .protocol_class = ProtocolClass::covert,
                                      .title = "iodine, IP over UDP as DNS's neighbour",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "iodine: doc/proto_00000502.txt, client.c"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0x10}), .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        if (!gather(head, evidence, kMaxEntries, read_one)) {
            return {};
        }
        evidence.set_variant(kVariants[0]);
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::iodine_raw
