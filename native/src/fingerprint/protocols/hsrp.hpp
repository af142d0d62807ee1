// HSRP: routers that share an address.
//
// 0, 1: version 0 | operation 0..2 | state 0, 1, 2, 4, 8, 16 | hello time | hold time | priority |
// group | 0 | password 8 | address 4 2: items: kind 1..4, length 1; the first is the group state,
// 1, 40 octets: version 2 | operation | state 0..6 | 4 or 6 |
//    group 2 | identifier 6 | priority 4 | hello milliseconds 4 | hold 4 | address 16; or the
//    interface state, 2, 4 octets
//
// Sources: RFC 2281, HSRP version 2 in public captures.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::hsrp {

inline constexpr Rule kHeader{"hsrp.header",
                              "twenty octets, a known operation and state, a hold time longer than "
                              "the hello time; RFC 2281 §5.1"};
inline constexpr Rule kPassword{"hsrp.password", "the default password, cisco; RFC 2281 §5.1"};
inline constexpr Rule kGroup{
    "hsrp.group_state",
    "a group state item of 40 octets, version 2, IPv4 or IPv6; HSRP version 2 in Cisco IOS"};
inline constexpr Rule kTimers{
    "hsrp.timers", "a priority of at most 255, times below 256 s; HSRP version 2 in Cisco IOS"};
inline constexpr Rule kPort{"hsrp.port", "UDP port 1985 or 2029 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{1985, 2029};
inline constexpr std::array<std::string_view, 2> kVariants{"v1", "v2"};
inline constexpr std::array<const Rule*, 5> kRules{&kHeader, &kPassword, &kGroup, &kTimers, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "hsrp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Hot Standby Router Protocol",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 2281, HSRP version 2 in public captures"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0, 1}),
                                         .least_length = 20,
                                         .most_length = 128};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                return at(payload.bytes, 0).u8() == 0 ? add_one(evidence, head, payload, first)
                                                      : add_two(evidence, head, payload, first);
            });
    }

  private:
    static Reading add_one(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload,
                           bool first) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t version = reader.u8();
        const std::uint8_t operation = reader.u8();
        const std::uint8_t state = reader.u8();
        const std::uint8_t hello = reader.u8();
        const std::uint8_t hold = reader.u8();
        reader.skip(2);
        const std::uint8_t reserved = reader.u8();
        reader.skip(12);
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const bool known_state = (state & (state - 1U)) == 0 && state <= 16;
        // RFC 2281 §5.1: twenty octets; an authentication item may follow.
        if (version != 0 || operation > 2 || !known_state || hello == 0 || hold <= hello ||
            reserved != 0 || (payload.length != 20 && payload.length != 50)) {
            return Reading::contradicts;
        }
        if (first) {
            // Operation 6, state 5, two zeros 8, the length 5.
            evidence.add(kHeader, head, payload.entry, 0, 3, 15);
            evidence.add(kHeader, head, payload.entry, 7, 1, 5);
            if (at(payload.bytes, 8).be64() == 0x636973636f000000) {
                evidence.add(kPassword, head, payload.entry, 8, 8, 32);
            }
        }
        evidence.set_variant("v1");
        return Reading::fits;
    }

    static Reading add_two(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload,
                           bool first) noexcept {
        constexpr std::uint32_t kMostTime = 256 * 1000;
        ByteReader reader(payload.bytes);
        const std::uint32_t item = reader.be32() >> 8U;  // kind, length, version
        const std::uint8_t state = reader.u8();
        const std::uint8_t family = reader.u8();
        reader.skip(8);
        const std::uint32_t priority = reader.be32();
        const std::uint32_t hello = reader.be32();
        const std::uint32_t hold = reader.be32();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const std::uint8_t operation = payload.bytes[3];
        if (item != 0x012802 || operation > 3 || state > 6 || (family != 4 && family != 6) ||
            priority > 255 || hello >= kMostTime || hold >= kMostTime || payload.length < 42) {
            return Reading::contradicts;
        }
        if (first) {
            evidence.add(kGroup, head, payload.entry, 0, 6, 40);
            evidence.add(kTimers, head, payload.entry, 14, 3, 12);
        }
        evidence.set_variant("v2");
        return Reading::fits;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::hsrp
