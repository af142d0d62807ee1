// Cisco AnyConnect (OpenConnect, ocserv) over TLS, in clear text: behind a device that ends TLS.
//
//  client: "CONNECT /CSCOSSLC/tunnel HTTP/1." ... X-CSTP-Version ... empty line, then frames
//  server: "HTTP/1.1 200 CONNECTED" ... X-CSTP-Version ... empty line, then frames
//  frame:  0 "STF" 1 | 4 length 2, of the body | 6 type 1 | 7 zero | 8 body
//   types: 0 data, 3 4 dead peer detection, 5 disconnect, 7 keepalive, 8 compressed, 9 terminate
//
// CONNECT with a path is no proxy's request (RFC 9110 §9.3.6 has host and port there).
// Sources: openconnect cstp.c, openconnect-internal.h; draft-mavrogiannopoulos-openconnect §2.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/ssl_vpn.hpp"

namespace flowclass::fingerprint::anyconnect_cstp {

inline constexpr Rule kRequest{"anyconnect.request",
                               "the stream begins with CONNECT /CSCOSSLC/tunnel; "
                               "draft-mavrogiannopoulos-openconnect §2.1.3"};
inline constexpr Rule kVersion{"anyconnect.request_version",
                               "the request line ends in HTTP/1; RFC 9112 §3"};
inline constexpr Rule kAnswer{"anyconnect.answer", "an HTTP answer 1xx or 2xx; RFC 9112 §4"};
inline constexpr Rule kHeader{"anyconnect.header",
                              "a header line X-CSTP-Version; draft-mavrogiannopoulos-openconnect "
                              "§2.1.3"};
inline constexpr Rule kFrame{"anyconnect.frame",
                             "a frame begins with STF, 1, a length, a known type and zero; "
                             "draft-mavrogiannopoulos-openconnect §2.2"};

inline constexpr std::array<std::uint16_t, 1> kPorts{443};
inline constexpr std::array<std::string_view, 1> kVariants{"cstp"};
inline constexpr std::array<const Rule*, 5> kRules{
    &kRequest, &kVersion, &kAnswer, &kHeader, &kFrame};
inline constexpr std::string_view kLine = "\r\nX-CSTP-Version:";
inline constexpr TunnelOpening kOpening{.method = "CONNECT ",
                                        .target = "/CSCOSSLC/tunnel",
                                        .request_line = kLine,
                                        .answer_line = kLine,
                                        .rules = {kRequest, kVersion, kAnswer, &kHeader, &kHeader}};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "anyconnect",
        .protocol_class = ProtocolClass::vpn,
        .title = "Cisco AnyConnect over TLS, in clear text",
        .ports = kPorts,
        .variants = kVariants,
        .rules = kRules,
        .sources = "openconnect cstp.c; draft-mavrogiannopoulos-openconnect"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'C', 'H', 'S'}), .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        const std::array<std::size_t, 2> begins = add_opening(evidence, head, kOpening);
        constexpr std::size_t kHeaderLength = 8;
        if (!add_tunnel_frames(evidence, head, begins, kHeaderLength, read_frame)) {
            return {};
        }
        evidence.set_variant(kVariants[0]);
        return evidence;
    }

  private:
    static constexpr bool is_type(std::uint8_t type) noexcept {
        return type == 0 || (type >= 3 && type <= 5) || (type >= 7 && type <= 9);
    }

    static bool read_frame(Bytes stream, std::size_t offset, TunnelFrame& out) noexcept {
        constexpr std::uint32_t kMagic = 0x53544601;
        ByteReader reader = at(stream, offset);
        const std::uint32_t magic = reader.be32();
        const std::uint16_t length = reader.be16();
        const std::uint8_t type = reader.u8();
        const std::uint8_t zero = reader.u8();
        if (!reader.ok() || magic != kMagic || !is_type(type) || zero != 0 || length > 0x4000) {
            return false;
        }
        // The constant is text and a one: 28; 5 for one of seven types, 4 for a zero.
        out = {.length = std::size_t{8} + length,
               .rule = &kFrame,
               .claims = {{{0, 4, 28}, {4, 2, 10, true}, {6, 2, 9}}}};
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::anyconnect_cstp
