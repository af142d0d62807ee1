// VRRP versions 2 and 3, and CARP, which borrowed its protocol number.
//
// 0 version 2 or 3 (4 bits), kind 1 (4) | 1 router | 2 priority | 3 addresses | 2: authentication
// 1, interval 1; 3: zero (4 bits), interval (12) | 6 checksum 2 | addresses 4 or 16 each | 2:
// authentication 8 CARP: 21 | router | skew | 7: words of authentication | pad | base | checksum 2
// | counter 8 | SHA-1 20
//
// Sources: RFC 3768, RFC 5798, OpenBSD ip_carp.h.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::vrrp {

inline constexpr Rule kHeader{
    "vrrp.header", "IP protocol 112, version 2 or 3, kind 1; RFC 3768 §5.3, RFC 5798 §5.2"};
inline constexpr Rule kLength{
    "vrrp.addresses", "as many addresses as the length has room for; RFC 3768 §5.1, RFC 5798 §5.2"};
inline constexpr Rule kCarp{
    "vrrp.carp_length", "seven words of authentication, 36 octets; OpenBSD, sys/netinet/ip_carp.h"};

inline constexpr std::array<std::string_view, 3> kVariants{"v2", "v3", "carp"};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kLength, &kCarp};

inline constexpr std::uint8_t kVrrp = 112;

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "vrrp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Virtual Router Redundancy Protocol",
                                      .ports = {},
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 3768, RFC 5798, OpenBSD ip_carp.h"};
    static constexpr Prefilter prefilter{.ip_protos = {kVrrp}, .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence = match_datagrams(
            head, {}, kHeader, [&](Evidence& found, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t front = reader.u8();
                reader.skip(2);
                const std::uint8_t count = reader.u8();
                reader.skip(4);
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const bool two = front == 0x21;
                const bool carp = two && count == 7 && payload.length == 36;
                const std::uint32_t body = payload.length - 8;
                const bool addressed =
                    count > 0 &&
                    (two ? body == count * 4U + 8U : body == count * 4U || body == count * 16U);
                if ((!two && front != 0x31) || (!carp && !addressed)) {
                    return Reading::contradicts;
                }
                if (first) {
                    found.add(kHeader, head, payload.entry, 0, 1, 7);
                    found.add(carp ? kCarp : kLength, head, payload.entry, 3, 1, 8);
                }
                found.set_variant(carp ? "carp" : two ? "v2" : "v3");
                return Reading::fits;
            });
        if (!evidence.empty()) {
            evidence.set_assigned_ip_protocol();
        }
        return evidence;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::vrrp
