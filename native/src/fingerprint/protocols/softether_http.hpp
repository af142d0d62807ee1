// SoftEther VPN over HTTP in clear text: the tunnel's own requests behind a device that ends TLS,
// and the registration of a server's name, which is plain HTTP.
//
//  "POST /vpnsvc/connect.cgi HTTP/1." ... empty line, "VPNCONNECT" or a GIF
//  "POST /vpnsvc/vpn.cgi HTTP/1." ...
//  "POST /ddns/ddns.aspx?v=" digits " HTTP/1." ... "Host: " ... "softether-network.net"
//
// Sources: SoftEtherVPN src/Cedar/Cedar.h (HTTP_VPN_TARGET, HTTP_VPN_TARGET2), Protocol.c, DDNS.c,
// DDNS.h.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/ssl_vpn.hpp"

namespace flowclass::fingerprint::softether_http {

inline constexpr Rule kRequest{"softether.request",
                               "the stream begins with POST and a path of this VPN; SoftEtherVPN "
                               "Cedar.h, DDNS.h"};
inline constexpr Rule kVersion{"softether.request_version",
                               "the request line ends in HTTP/1; RFC 9112 §3"};
inline constexpr Rule kAnswer{"softether.answer", "an HTTP answer 1xx or 2xx; RFC 9112 §4"};
inline constexpr Rule kBody{"softether.signature",
                            "the request's body begins with VPNCONNECT or GIF89a; SoftEtherVPN "
                            "Cedar.h, WaterMark.c"};
inline constexpr Rule kHost{"softether.host",
                            "the request's host is one of the service for names; SoftEtherVPN "
                            "DDNS.h"};

inline constexpr std::array<std::uint16_t, 2> kPorts{80, 443};
inline constexpr std::array<std::string_view, 2> kVariants{"http", "ddns"};
inline constexpr std::array<const Rule*, 5> kRules{&kRequest, &kVersion, &kAnswer, &kBody, &kHost};

inline constexpr TunnelRules kTunnelRules{kRequest, kVersion, kAnswer};
inline constexpr TunnelOpening kConnect{
    .method = "POST ", .target = "/vpnsvc/connect.cgi", .rules = kTunnelRules};
inline constexpr TunnelOpening kSession{
    .method = "POST ", .target = "/vpnsvc/vpn.cgi", .rules = kTunnelRules};
inline constexpr TunnelOpening kNames{
    .method = "POST ", .target = "/ddns/ddns.aspx?v=", .is_whole = false, .rules = kTunnelRules};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "softether",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "SoftEther VPN over HTTP",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "SoftEtherVPN Cedar.h, Protocol.c, DDNS.h"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'P'}), .least_length = 16};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            if (!has_text(head.stream(direction), "POST /")) {
                continue;
            }
            if (add_tunnel_request(evidence, head, direction, kConnect) ||
                add_tunnel_request(evidence, head, direction, kSession)) {
                add_body(evidence, head, direction);
                evidence.set_variant(kVariants[0]);
            } else if (add_tunnel_request(evidence, head, direction, kNames)) {
                // The path may be anybody's.
                if (!add_host(evidence, head, direction)) {
                    return {};
                }
                evidence.set_variant(kVariants[1]);
            } else {
                continue;
            }
            if (has_text(head.stream(opposite(direction)), "HTTP/1.")) {
                add_tunnel_answer(evidence, head, opposite(direction), kConnect, true);
            }
            return evidence;
        }
        return evidence;
    }

  private:
    static void add_body(Evidence& evidence, const FlowHead& head, Direction direction) noexcept {
        const Bytes stream = head.stream(direction);
        const std::size_t begin = http_body(stream);
        if (begin == kNowhere) {
            return;
        }
        for (const std::string_view word : {"VPNCONNECT", "GIF89a"}) {
            if (has_text(stream, word, begin)) {
                const double bits = 4.0 * static_cast<double>(word.size());
                add_at(evidence, kBody, head, {.direction = direction}, begin, word.size(), bits);
            }
        }
    }

    static bool add_host(Evidence& evidence, const FlowHead& head, Direction direction) noexcept {
        constexpr std::string_view kLine = "\r\nHost: ";
        const Bytes stream = head.stream(direction);
        const std::size_t line = find_text(stream, kLine);
        if (line == stream.size()) {
            return false;
        }
        std::size_t end = line + kLine.size();
        while (end < stream.size() && stream[end] > 0x20 && stream[end] != ':') {
            ++end;
        }
        const std::size_t name = end - line - kLine.size();
        for (const std::string_view domain : {".ddns.softether-network.net", ".ddns.uxcom.jp"}) {
            if (name >= domain.size() && end < stream.size() &&
                has_text(stream, domain, end - domain.size())) {
                const double bits = 4.0 * static_cast<double>(domain.size());
                add_at(evidence,
                       kHost,
                       head,
                       {.direction = direction},
                       end - domain.size(),
                       domain.size(),
                       bits);
                return true;
            }
        }
        return false;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::softether_http
