// Fortinet SSL VPN, tunnel mode, in clear text: behind a device that ends TLS. Inside TLS or DTLS
// nothing of it is to be seen.
//
//  client: "GET /remote/sslvpn-tunnel HTTP/1." ... empty line, then frames
//  server: frames at once; an HTTP answer only where it refuses
//  frame:  0 length 2, whole | 2 0x5050 | 4 length 2, what follows | 6 PPP
//
// Sources: openconnect fortinet.c, ppp.c; openfortivpn tunnel.c, io.c.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/contract.hpp"
#include "fingerprint/ssl_vpn.hpp"

namespace flowclass::fingerprint::fortinet {

inline constexpr Rule kRequest{"fortinet.request",
                               "the stream begins with GET /remote/sslvpn-tunnel; openconnect "
                               "fortinet.c"};
inline constexpr Rule kVersion{"fortinet.request_version",
                               "the request line ends in HTTP/1; RFC 9112 §3"};
inline constexpr Rule kAnswer{"fortinet.answer", "an HTTP answer 1xx or 2xx; RFC 9112 §4"};
inline constexpr Rule kFrame{"fortinet.frame",
                             "a frame of two lengths, six apart, with 5050 between, and PPP in it; "
                             "openconnect ppp.c"};

inline constexpr std::array<std::uint16_t, 2> kPorts{443, 10443};
inline constexpr std::array<const Rule*, 4> kRules{&kRequest, &kVersion, &kAnswer, &kFrame};
inline constexpr TunnelOpening kOpening{
    .method = "GET ", .target = "/remote/sslvpn-tunnel", .rules = {kRequest, kVersion, kAnswer}};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "fortinet",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Fortinet SSL VPN",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "openconnect fortinet.c, ppp.c; openfortivpn"};
    // The request, and a frame's length of at most 2047.
    static constexpr Prefilter prefilter{.ip_protos = {kTcp},
                                         .first_bytes = ByteSet::of({'G'}) | ByteSet::range(0, 7),
                                         .least_length = 8,
                                         .octets = {{{2, ByteSet::of({'T', 0x50})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        const std::array<std::size_t, 2> begins = add_opening(evidence, head, kOpening);
        constexpr std::size_t kHeader = 10;
        if (!add_tunnel_frames(evidence, head, begins, kHeader, read_frame)) {
            return {};
        }
        return evidence;
    }

  private:
    static bool read_frame(Bytes stream, std::size_t offset, TunnelFrame& out) noexcept {
        constexpr std::uint16_t kMagic = 0x5050;
        constexpr std::uint16_t kHeader = 6;
        ByteReader reader = at(stream, offset);
        const std::uint16_t whole = reader.be16();
        const std::uint16_t magic = reader.be16();
        const std::uint16_t inner = reader.be16();
        const std::size_t ppp = ppp_header(stream, offset + kHeader);
        if (!reader.ok() || magic != kMagic || whole != inner + kHeader || inner < 4 ||
            whole > 2047 || ppp == 0) {
            return false;
        }
        // 16 for the constant, 14 for lengths that agree; 12 for one of nine PPP protocols.
        out = {
            .length = whole, .rule = &kFrame, .claims = {{{0, kHeader, 30}, {kHeader, ppp, 12}}}};
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::fortinet
