// Secure Socket Tunneling Protocol in clear text: behind a device that ends TLS. Inside TLS nothing
// of it is to be seen.
//
//  client: "SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1." ... empty line
//  server: "HTTP/1.1 200" ...; both with Content-Length: 2^64 - 1, then messages
//  message: 0 version 0x10 | 1 control: 1, data: 0 | 2 reserved 4 bits, length 12 bits, whole
//   control: 4 type 2, 1 to 9 | 6 attributes 2 | 8 attribute: reserved 1, id 1, length 2 ...
//   data: 4 PPP
//
// Source: MS-SSTP §2.2, §3.1.5.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/ssl_vpn.hpp"

namespace flowclass::fingerprint::sstp {

inline constexpr Rule kRequest{"sstp.request",
                               "the stream begins with SSTP_DUPLEX_POST and the protocol's own "
                               "path; MS-SSTP §3.2.4.1"};
inline constexpr Rule kVersion{"sstp.request_version",
                               "the request line ends in HTTP/1; RFC 9112 §3"};
inline constexpr Rule kAnswer{"sstp.answer", "an HTTP answer 1xx or 2xx; MS-SSTP §3.3.5.1"};
inline constexpr Rule kLength{"sstp.content_length",
                              "the header says a content length of 2^64 - 1; MS-SSTP §3.2.4.1"};
inline constexpr Rule kControl{"sstp.control",
                               "a control message of a known type whose first attribute fits; "
                               "MS-SSTP §2.2.2"};
inline constexpr Rule kData{"sstp.data", "data messages with PPP in them; MS-SSTP §2.2.3"};

inline constexpr std::array<std::uint16_t, 1> kPorts{443};
inline constexpr std::array<const Rule*, 6> kRules{
    &kRequest, &kVersion, &kAnswer, &kLength, &kControl, &kData};
inline constexpr std::string_view kEndless = "\r\nContent-Length: 18446744073709551615\r\n";
inline constexpr TunnelOpening kOpening{.method = "SSTP_DUPLEX_POST ",
                                        .target = "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/",
                                        .request_line = kEndless,
                                        .answer_line = kEndless,
                                        .rules = {kRequest, kVersion, kAnswer, &kLength, &kLength}};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "sstp",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Secure Socket Tunneling Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "MS-SSTP"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'S', 'H', 0x10}), .least_length = 6};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        const std::array<std::size_t, 2> begins = add_opening(evidence, head, kOpening);
        constexpr std::size_t kLongestHeader = 12;
        if (!add_tunnel_frames(evidence, head, begins, kLongestHeader, read_message)) {
            return {};
        }
        return evidence;
    }

  private:
    static bool read_message(Bytes stream, std::size_t offset, TunnelFrame& out) noexcept {
        return at(stream, offset + 1).u8() == 1 ? read_control(stream, offset, out)
                                                : read_data(stream, offset, out);
    }

    static bool read_control(Bytes stream, std::size_t offset, TunnelFrame& out) noexcept {
        ByteReader reader = at(stream, offset);
        const std::uint16_t start = reader.be16();
        const std::uint16_t length = reader.be16();
        const std::uint16_t type = reader.be16();
        const std::uint16_t attributes = reader.be16();
        if (!reader.ok() || start != 0x1001 || length < 8 || length > 0x0fff || type < 1 ||
            type > 9 || attributes > 4 || (attributes == 0) != (length == 8)) {
            return false;
        }
        std::size_t claimed = 4;
        if (attributes > 0) {
            const std::uint8_t reserved = reader.u8();
            const std::uint8_t id = reader.u8();
            const std::uint16_t size = reader.be16();
            if (!reader.ok() || reserved != 0 || id < 1 || id > 4 || size < 6 ||
                size + 8 > length || (attributes == 1 && size + 8 != length)) {
                return false;
            }
            // The size of one attribute among several has nothing to agree with.
            claimed = attributes == 1 ? 8 : 6;
        }
        // The start 12; type and count 12, for they are zeros mostly; reserved and id 8, a size
        // that agrees 8 more.
        const double bits = claimed == 4 ? 12 : claimed == 6 ? 20 : 28;
        out = {.length = length,
               .rule = &kControl,
               .claims = {{{0, 2, 12}, {2, 2, 8, true}, {4, claimed, bits}}}};
        return true;
    }

    static bool read_data(Bytes stream, std::size_t offset, TunnelFrame& out) noexcept {
        ByteReader reader = at(stream, offset);
        const std::uint16_t start = reader.be16();
        const std::uint16_t length = reader.be16();
        const std::size_t ppp = ppp_header(stream, offset + 4);
        if (!reader.ok() || start != 0x1000 || length < 8 || length > 0x0fff || ppp == 0) {
            return false;
        }
        // 12 for the start, 12 for one of nine PPP protocols, 14 more where FF 03 leads.
        out = {.length = length,
               .rule = &kData,
               .claims = {{{0, 2, 12}, {2, 2, 6, true}, {4, ppp, ppp == 4 ? 26.0 : 12.0}}}};
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::sstp
