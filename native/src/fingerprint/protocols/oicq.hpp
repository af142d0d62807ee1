// OICQ, the older protocol of QQ.
//
// 0 02 | 1 version 2 | 3 command 2 | 5 number 2 | 7 account 4 | sealed | 03
//
// Sources: Wireshark wiki, OICQ; public captures.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::oicq {

inline constexpr Rule kFrame{"oicq.frame", "02 in front and 03 at the end; Wireshark wiki, OICQ"};
inline constexpr Rule kCommand{
    "oicq.command", "a command below 0200 and a version from 0b00 to 3fff; Wireshark wiki, OICQ"};
inline constexpr Rule kEcho{
    "oicq.number_echo", "the answer has the version, command, number and account of the question"};
inline constexpr Rule kPort{"oicq.port", "UDP port 8000 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{8000};
inline constexpr std::array<const Rule*, 4> kRules{&kFrame, &kCommand, &kEcho, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "oicq",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "OICQ (Tencent QQ)",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "Wireshark wiki, OICQ; public captures"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0x02}),
                                         .least_length = 16,
                                         .octets = {{{1, ByteSet::range(0x0b, 0x3f)}}}};

    static Evidence match(const FlowHead& head) noexcept {
        LastSaid<std::uint64_t> keys;
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t begin = reader.u8();
                const std::uint16_t version = reader.be16();
                const std::uint64_t key = reader.be64();  // command, number, account
                const std::size_t last = payload.length - 1U;
                const bool whole = payload.bytes.size() == payload.length;
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const auto command = static_cast<std::uint16_t>(key >> 48U);
                const auto account = static_cast<std::uint32_t>(key);
                if (begin != 2 || version < 0x0b00 || version > 0x3fff || command == 0 ||
                    command >= 0x0200 || account == 0 || (whole && payload.bytes[last] != 3)) {
                    return Reading::contradicts;
                }
                if (first) {
                    evidence.add(kFrame, head, payload.entry, 0, 1, 6);
                    if (whole) {
                        evidence.add(kFrame, head, payload.entry, last, 1, 7);
                    }
                    // The version 2, the command 7.
                    evidence.add(kCommand, head, payload.entry, 1, 1, 2);
                    evidence.add(kCommand, head, payload.entry, 3, 1, 7);
                }
                if (keys.answers(payload, key)) {
                    evidence.add(kEcho, head, payload.entry, 3, 8, 50);
                }
                keys.say(payload, key);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::oicq
