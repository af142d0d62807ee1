// Array Networks SSL VPN in clear text: behind a device that ends TLS. Behind the request it is
// plain IP packets and configuration in JSON, nothing that names it; the request and its header do.
//
//  client: "GET /vpntunnel HTTP/1." ... "appid: SSPVPN" ... empty line
//
// Source: openconnect array.c.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/contract.hpp"
#include "fingerprint/ssl_vpn.hpp"

namespace flowclass::fingerprint::array {

inline constexpr Rule kRequest{"array.request",
                               "the stream begins with GET /vpntunnel; openconnect array.c"};
inline constexpr Rule kVersion{"array.request_version",
                               "the request line ends in HTTP/1; RFC 9112 §3"};
inline constexpr Rule kAnswer{"array.answer", "an HTTP answer 1xx or 2xx; RFC 9112 §4"};
inline constexpr Rule kHeader{"array.header",
                              "the request has a header line appid: SSPVPN; openconnect array.c"};

inline constexpr std::array<std::uint16_t, 1> kPorts{443};
inline constexpr std::array<const Rule*, 4> kRules{&kRequest, &kVersion, &kAnswer, &kHeader};
// The path alone is short, and another server may have one of that name.
inline constexpr TunnelOpening kOpening{.method = "GET ",
                                        .target = "/vpntunnel",
                                        .request_line = "\r\nappid: SSPVPN\r\n",
                                        .needs_request_line = true,
                                        .rules = {kRequest, kVersion, kAnswer, &kHeader}};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "array",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Array Networks SSL VPN",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "openconnect array.c"};
    static constexpr Prefilter prefilter{.ip_protos = {kTcp},
                                         .first_bytes = ByteSet::of({'G'}),
                                         .least_length = 8,
                                         .octets = {{{5, ByteSet::of({'v'})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        add_opening(evidence, head, kOpening);
        return evidence;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::array
