// F5 BIG-IP access VPN in clear text: behind a device that ends TLS.
//
//  client: "GET /myvpn?sess=" ... " HTTP/1." ... empty line, then frames
//  server: HTTP answer with X-VPN-client-IP, then frames
//  frame:  0 0xf500 | 2 length 2, what follows | 4 PPP; with HDLC framing plain PPP instead
//
// Sources: openconnect f5.c, ppp.c.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/contract.hpp"
#include "fingerprint/ssl_vpn.hpp"

namespace flowclass::fingerprint::f5 {

inline constexpr Rule kRequest{"f5.request",
                               "the stream begins with GET /myvpn?sess=; openconnect f5.c"};
inline constexpr Rule kVersion{"f5.request_version",
                               "the request line ends in HTTP/1; RFC 9112 §3"};
inline constexpr Rule kAnswer{"f5.answer", "an HTTP answer 1xx or 2xx; RFC 9112 §4"};
inline constexpr Rule kHeader{"f5.header",
                              "the answer has a header line X-VPN-client-IP; openconnect f5.c"};
inline constexpr Rule kFrame{"f5.frame",
                             "a frame begins with F500, a length, and PPP; openconnect ppp.c"};

inline constexpr std::array<std::uint16_t, 1> kPorts{443};
inline constexpr std::array<const Rule*, 5> kRules{
    &kRequest, &kVersion, &kAnswer, &kHeader, &kFrame};
inline constexpr TunnelOpening kOpening{.method = "GET ",
                                        .target = "/myvpn?sess=",
                                        .is_whole = false,
                                        .answer_line = "\r\nX-VPN-client-IP:",
                                        .rules = {kRequest, kVersion, kAnswer, nullptr, &kHeader}};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "f5",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "F5 BIG-IP SSL VPN",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "openconnect f5.c, ppp.c"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'G', 'H', 0xf5}), .least_length = 6};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        const std::array<std::size_t, 2> begins = add_opening(evidence, head, kOpening);
        constexpr std::size_t kLongestHeader = 8;
        if (!add_tunnel_frames(evidence, head, begins, kLongestHeader, read_frame)) {
            return {};
        }
        return evidence;
    }

  private:
    static bool read_frame(Bytes stream, std::size_t offset, TunnelFrame& out) noexcept {
        constexpr std::uint16_t kMagic = 0xf500;
        ByteReader reader = at(stream, offset);
        const std::uint16_t magic = reader.be16();
        const std::uint16_t length = reader.be16();
        const std::size_t ppp = ppp_header(stream, offset + 4);
        if (!reader.ok() || magic != kMagic || length < 4 || length > 2047 || ppp == 0) {
            return false;
        }
        // 14 for the constant, 12 for one of nine PPP protocols.
        out = {.length = std::size_t{4} + length,
               .rule = &kFrame,
               .claims = {{{0, 2, 14}, {2, 2, 10, true}, {4, ppp, 12}}}};
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::f5
