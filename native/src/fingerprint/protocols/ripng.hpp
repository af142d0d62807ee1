// RIPng, RIP for IPv6.
//
// 0 command: 1 request, 2 response | 1 version, 1 | 2 zero 2 | 4 entries of 20 octets: prefix 16 |
// tag 2 | prefix length 1 | metric 1, 1..16, or 255: the prefix is the next hop
//
// Sources: RFC 2080.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::ripng {

inline constexpr Rule kHeader{
    "ripng.header",
    "request or response, version 1, zeros, entries of twenty octets; RFC 2080 §2.1"};
inline constexpr Rule kEntry{
    "ripng.entry",
    "a prefix with no bits beyond its length and a metric up to 16, or 255; RFC 2080 §2.1"};
inline constexpr Rule kPort{"ripng.port", "UDP port 521 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{521};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kEntry, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ripng",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "RIPng",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 2080"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({1, 2}),
                                         .least_length = 24,
                                         .octets = {{{1, ByteSet::of({1})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t command = reader.u8();
                const std::uint8_t version = reader.u8();
                const std::uint16_t zero = reader.be16();
                const Bytes prefix = reader.bytes(16);
                reader.skip(2);
                const std::uint8_t length = reader.u8();
                const std::uint8_t metric = reader.u8();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const bool hop = metric == 255 && length == 0 && prefix[0] == 0xfe;
                if (command < 1 || command > 2 || version != 1 || zero != 0 ||
                    (payload.length - 4) % 20 != 0 || length > 128 ||
                    (!hop && (metric == 0 || metric > 16 || !ends(prefix, length)))) {
                    return Reading::contradicts;
                }
                if (first) {
                    // Command 7, version 8, zeros 8.
                    evidence.add(kHeader, head, payload.entry, 0, 4, 23);
                    // The metric 4, a length 1, a prefix that ends with it 6.
                    evidence.add(kEntry, head, payload.entry, 22, 2, 11);
                }
                return Reading::fits;
            });
    }

  private:
    static bool ends(Bytes prefix, std::uint8_t length) noexcept {
        return std::all_of(prefix.begin() + (length + 7) / 8, prefix.end(), [](std::uint8_t octet) {
            return octet == 0;
        });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ripng
