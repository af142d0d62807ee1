// BJNP, Canon's printers and scanners over a network.
//
// 0 "BJNP" or "MFNP" 4 | 4 device: 1 printer, 2 scanner; top bit: answer | 5 command | 6 error, 2 |
// 8 sequence 2 | 10 session 2 | 12 length of what follows 4
//
// Sources: SANE, backend/pixma/pixma_bjnp_private.h.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::bjnp {

inline constexpr Rule kMagic{"bjnp.magic", "the words BJNP or MFNP"};
inline constexpr Rule kDevice{"bjnp.device", "a printer or a scanner, asked or answering"};
inline constexpr Rule kLength{"bjnp.length", "the length leads to the end of the datagram"};
inline constexpr Rule kEcho{"bjnp.sequence_echo",
                            "the answer has the sequence number of the question"};
inline constexpr Rule kPort{"bjnp.port", "UDP port 8611 or 8612 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{8611, 8612};
inline constexpr std::array<const Rule*, 5> kRules{&kMagic, &kDevice, &kLength, &kEcho, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "bjnp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Canon BJNP printer protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "SANE, backend/pixma/pixma_bjnp_private.h"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({'B', 'M'}), .least_length = 16};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::array<std::string_view, 2> kWords{"BJNP", "MFNP"};
        LastSaid<std::uint32_t> commands;
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                const std::string_view word = word_at(payload.bytes, kWords);
                ByteReader reader = at(payload.bytes, 4);
                const std::uint8_t device = reader.u8();
                const std::uint8_t command = reader.u8();
                reader.skip(2);
                const std::uint16_t sequence = reader.be16();
                reader.skip(2);
                const std::uint32_t length = reader.be32();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const std::uint8_t kind = device & 0x7fU;
                if (word.empty() || kind == 0 || kind > 3 ||
                    length + std::uint64_t{16} != payload.length) {
                    return Reading::contradicts;
                }
                const bool answer = (device & 0x80U) != 0;
                evidence.add(kMagic, head, payload.entry, 0, 4, first ? 20 : 2);
                evidence.add(kDevice, head, payload.entry, 4, 1, first ? 5 : 1);
                evidence.add(kLength, head, payload.entry, 12, 4, first ? 16 : 2);
                const std::uint32_t key = std::uint32_t{command} << 16U | sequence;
                if (answer && commands.answers(payload, key)) {
                    evidence.add(kEcho, head, payload.entry, 8, 2, 12);
                }
                commands.say(payload, key);
                evidence.set_initiator(answer ? opposite(payload.direction) : payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::bjnp
