// RIP versions 1 and 2.
//
// 0 command: 1 request, 2 response | 1 version | 2 zero 2 | 4 entries of 20 octets: family 2 (2
// IPv4, ffff authentication, first only, 0 the whole table) | tag 2 | address 4 | mask 4 | next hop
// 4 | metric 4, 1..16
//
// Sources: RFC 1058, RFC 2453, RFC 4822.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::rip {

inline constexpr Rule kHeader{
    "rip.header",
    "request or response, version 1 or 2, zeros, entries of twenty octets; RFC 2453 §3.6, §4"};
inline constexpr Rule kEntry{
    "rip.entry",
    "an entry of IPv4, or of the whole table, with a metric up to 16; RFC 2453 §3.6, §3.9.1"};
inline constexpr Rule kPassword{"rip.authentication",
                                "the first entry authenticates; RFC 2453 §4.1, RFC 4822 §2"};
inline constexpr Rule kPort{"rip.port", "UDP port 520 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{520};
inline constexpr std::array<std::string_view, 2> kVariants{"v1", "v2"};
inline constexpr std::array<const Rule*, 4> kRules{&kHeader, &kEntry, &kPassword, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "rip",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Routing Information Protocol",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 1058, RFC 2453, RFC 4822"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({1, 2}),
                                         .least_length = 24,
                                         .most_length = 544,
                                         .octets = {{{1, ByteSet::of({1, 2})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t command = reader.u8();
                const std::uint8_t version = reader.u8();
                const std::uint16_t zero = reader.be16();
                const Entry entry = read_entry(payload, 4);
                if (!reader.ok() || payload.bytes.size() < 24) {
                    return ran_out(payload);
                }
                // RFC 4822 puts the authentication data behind the entries.
                const bool whole = (payload.length - 4) % 20 == 0 || entry.authenticates;
                if (command < 1 || command > 2 || version < 1 || version > 2 || zero != 0 ||
                    !whole || !entry.valid) {
                    return Reading::contradicts;
                }
                const std::size_t route = entry.authenticates ? 24 : 4;
                const Entry next = entry.authenticates ? read_entry(payload, 24) : entry;
                if (next.authenticates || (!next.valid && payload.bytes.size() >= 44)) {
                    return Reading::contradicts;
                }
                if (first) {
                    // Two octets 7 each, zeros 8.
                    evidence.add(kHeader, head, payload.entry, 0, 4, 22);
                    if (entry.authenticates) {
                        evidence.add(kPassword, head, payload.entry, 4, 2, 10);
                    }
                    if (next.valid) {
                        // The family 12, three zero octets and a metric 14.
                        evidence.add(kEntry, head, payload.entry, route, 2, 12);
                        evidence.add(kEntry, head, payload.entry, route + 16, 4, 14);
                    }
                }
                evidence.set_variant(version == 1 ? "v1" : "v2");
                return Reading::fits;
            });
    }

  private:
    struct Entry {
        bool valid = false;
        bool authenticates = false;
    };
    static Entry read_entry(const Payload& payload, std::size_t offset) noexcept {
        ByteReader reader = at(payload.bytes, offset);
        const std::uint16_t family = reader.be16();
        reader.skip(14);
        const std::uint32_t metric = reader.be32();
        if (family == 0xffff && offset == 4) {
            return {reader.ok(), reader.ok()};
        }
        return {reader.ok() && (family == 2 || (family == 0 && metric == 16)) && metric <= 16,
                false};
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::rip
