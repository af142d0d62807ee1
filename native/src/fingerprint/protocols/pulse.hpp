// Ivanti (Pulse) Connect Secure over IF-T/TLS, in clear text: behind a device that ends TLS.
//
//  client: "GET /" ... " HTTP/1." ... "Upgrade: IF-T/TLS 1.0" ... empty line, then messages
//  server: "HTTP/1.1 101" ... the same line ... empty line, then messages
//  message: 0 vendor 4: 0x5597 (TCG), 0xa4c, 0x583 (Juniper) | 4 type 4 | 8 length 4, whole |
//           12 sequence 4, one more in each message of a side
//
// Sources: TCG IF-T Binding to TLS §3.4, §3.5; openconnect pulse.c.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/ssl_vpn.hpp"

namespace flowclass::fingerprint::pulse {

inline constexpr Rule kRequest{"pulse.request",
                               "the stream begins with GET /; openconnect pulse.c"};
inline constexpr Rule kVersion{"pulse.request_version",
                               "the request line ends in HTTP/1; RFC 9112 §3"};
inline constexpr Rule kAnswer{"pulse.answer", "an HTTP answer 1xx or 2xx; RFC 9112 §4"};
inline constexpr Rule kUpgrade{"pulse.upgrade",
                               "a header line Upgrade: IF-T/TLS 1.0; TCG IF-T Binding to TLS §3.4"};
inline constexpr Rule kMessage{"pulse.message",
                               "a message of one of three vendors, with type, length and sequence "
                               "number; TCG IF-T Binding to TLS §3.5"};

inline constexpr std::array<std::uint16_t, 1> kPorts{443};
inline constexpr std::array<const Rule*, 5> kRules{
    &kRequest, &kVersion, &kAnswer, &kUpgrade, &kMessage};
inline constexpr std::string_view kLine = "\r\nUpgrade: IF-T/TLS 1.0\r\n";
inline constexpr TunnelOpening kOpening{
    .method = "GET ",
    .target = "/",
    .is_whole = false,
    .request_line = kLine,
    .needs_request_line = true,
    .answer_line = kLine,
    .rules = {kRequest, kVersion, kAnswer, &kUpgrade, &kUpgrade}};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "pulse",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Ivanti (Pulse) Connect Secure",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "TCG IF-T Binding to TLS; openconnect pulse.c"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'G', 'H', 0}), .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        const std::array<std::size_t, 2> begins = add_opening(evidence, head, kOpening);
        constexpr std::size_t kHeader = 16;
        if (!add_tunnel_frames(evidence, head, begins, kHeader, read_message)) {
            return {};
        }
        return evidence;
    }

  private:
    static constexpr std::uint32_t kTcg = 0x5597;
    static constexpr std::uint32_t kJuniper = 0xa4c;
    static constexpr std::uint32_t kJuniperToo = 0x583;

    static bool read_message(Bytes stream, std::size_t offset, TunnelFrame& out) noexcept {
        ByteReader reader = at(stream, offset);
        const std::uint32_t vendor = reader.be32();
        const std::uint32_t type = reader.be32();
        const std::uint32_t length = reader.be32();
        const std::uint32_t sequence = reader.be32();
        if (!reader.ok() || (vendor != kTcg && vendor != kJuniper && vendor != kJuniperToo) ||
            type == 0 || type > 0xff || length < 16 || length > 0xffff || sequence >= 1U << 24U) {
            return false;
        }
        // 22 for one of three vendors behind zeros, 6 for the zeros of a small type; the sequence
        // number's zero is not counted.
        out = {.length = length, .rule = &kMessage, .claims = {{{0, 7, 28}, {8, 4, 16, true}}}};
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::pulse
