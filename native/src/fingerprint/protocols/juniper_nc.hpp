// Juniper Network Connect (oNCP) in clear text: behind a device that ends TLS.
//
//  client: "POST /dana/js?prot=1&svc=" digit ... " HTTP/1." ... NCP-Version ... empty line, records
//  server: "HTTP/1.1 200" ... empty line, then records
//  record: 0 length 2, little-endian, of what follows
//   first of the client: 2 00 04 00 00 00 | 7 name length 2, little-endian | 9 host name |
//                        bb 01 00 00 00 00
//   others, KMP:  2 six zeros | 8 type 2 | 10 01 00 00 00 01 00 00 00 | 18 zero 2 |
//                 20 length 2, of what follows | 22 body
//
// A record may hold more than one KMP message, or a part: only those that hold one are told.
// Source: openconnect oncp.c.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/ssl_vpn.hpp"

namespace flowclass::fingerprint::juniper_nc {

inline constexpr Rule kRequest{"juniper-nc.request",
                               "the stream begins with POST /dana/js?prot=1&svc=; openconnect "
                               "oncp.c"};
inline constexpr Rule kVersion{"juniper-nc.request_version",
                               "the request line ends in HTTP/1; RFC 9112 §3"};
inline constexpr Rule kHeader{"juniper-nc.header", "a header line NCP-Version; openconnect oncp.c"};
inline constexpr Rule kAnswer{"juniper-nc.answer", "an HTTP answer 1xx or 2xx; RFC 9112 §4"};
inline constexpr Rule kHello{"juniper-nc.hello",
                             "a record with the client's name between constants, its two lengths "
                             "agree; openconnect oncp.c"};
inline constexpr Rule kRecord{"juniper-nc.record",
                              "a record with one KMP message, its two lengths agree; openconnect "
                              "oncp.c"};

inline constexpr std::array<std::uint16_t, 1> kPorts{443};
inline constexpr std::array<const Rule*, 6> kRules{
    &kRequest, &kVersion, &kHeader, &kAnswer, &kHello, &kRecord};
inline constexpr TunnelOpening kOpening{.method = "POST ",
                                        .target = "/dana/js?prot=1&svc=",
                                        .is_whole = false,
                                        .request_line = "\r\nNCP-Version:",
                                        .rules = {kRequest, kVersion, kAnswer, &kHeader}};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "juniper-nc",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Juniper Network Connect",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "openconnect oncp.c"};
    // Records of one KMP message have any length; mid-flow only the shorter ones are looked at,
    // and a data message's first octet is rarely anything else.
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::of({'P', 'H'}) | ByteSet::range(20, 160),
        .least_length = 8,
        // behind a record's length is a zero
        .octets = {{{2, ByteSet::of({'S', 'T', 0})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        const std::array<std::size_t, 2> begins = add_opening(evidence, head, kOpening);
        // A record that holds something else does not speak against the protocol.
        constexpr std::size_t kNever = SIZE_MAX / 2;
        add_tunnel_frames(evidence, head, begins, kNever, read_record);
        return evidence;
    }

  private:
    static bool read_record(Bytes stream, std::size_t offset, TunnelFrame& out) noexcept {
        ByteReader reader = at(stream, offset);
        const std::uint16_t length = reader.le16();
        const std::uint32_t start = reader.be32();
        if (start == 0x00040000) {
            return read_hello(stream, offset, length, out);
        }
        constexpr std::uint16_t kKmpHeader = 20;
        const std::uint16_t zeros = reader.be16();
        const std::uint16_t type = reader.be16();
        const std::uint64_t constant = reader.be64();
        const std::uint16_t zero = reader.be16();
        const std::uint16_t body = reader.be16();
        if (!reader.ok() || start != 0 || zeros != 0 || type < 0x100 || type > 0x1ff ||
            constant != 0x0100000001000000 || zero != 0 || length != body + kKmpHeader) {
            return false;
        }
        // Lengths that agree 14 and six zeros 12, the type's upper half 6, the constant 16.
        out = {.length = std::size_t{2} + length,
               .rule = &kRecord,
               .claims = {{{0, 8, 26}, {8, 1, 6}, {10, 12, 16}}}};
        return true;
    }

    static bool read_hello(Bytes stream,
                           std::size_t offset,
                           std::uint16_t length,
                           TunnelFrame& out) noexcept {
        ByteReader reader = at(stream, offset + 6);
        const std::uint8_t zero = reader.u8();
        const std::uint16_t name = reader.le16();
        reader.skip(name);
        const std::uint32_t constant = reader.be32();
        const std::uint16_t zeros = reader.be16();
        if (!reader.ok() || zero != 0 || constant != 0xbb010000 || zeros != 0 ||
            length != name + 13) {
            return false;
        }
        // 14 for a start with zeros, 14 for lengths that agree; the end stands behind the name and
        // is not claimed.
        out = {.length = std::size_t{2} + length, .rule = &kHello, .claims = {{{0, 9, 28}}}};
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::juniper_nc
