// HTTP to a forward proxy (RFC 9112 §3.2.2): the request's target is in absolute form, which a
// client sends to a proxy and never to an origin server of its own accord.
//
//  request:  method SP "http://" authority [path] SP "HTTP/1." digit CR LF, header fields
//  answer:   "HTTP/1." digit SP 3 digits ...
//
// Everything HTTP proves is proved here too; the scheme and the authority come on top.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/reading.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::http_proxy {

inline constexpr Rule kMethod{"http-proxy.method",
                              "the stream begins with a method of RFC 9110 §9.3 or RFC 5789"};
inline constexpr Rule kAbsolute{"http-proxy.absolute_form",
                                "the target begins with http://, https:// or ftp://; RFC 9112 "
                                "§3.2.2"};
inline constexpr Rule kAuthority{"http-proxy.authority",
                                 "a host name or address follows; RFC 3986 §3.2"};
inline constexpr Rule kVersion{"http-proxy.version",
                               "the request line ends in HTTP/1; RFC 9112 §3"};
inline constexpr Rule kField{"http-proxy.proxy_field",
                             "a header field Proxy-Connection or Proxy-Authorization; RFC 9110 "
                             "§11.7.2, RFC 9112 §C.2.2"};
inline constexpr Rule kStatus{"http-proxy.status_line",
                              "the answer begins with HTTP/1 and a status; RFC 9112 §4"};

inline constexpr std::array<std::uint16_t, 2> kPorts{3128, 8080};
inline constexpr std::array<const Rule*, 6> kRules{
    &kMethod, &kAbsolute, &kAuthority, &kVersion, &kField, &kStatus};

inline constexpr std::array<std::string_view, 8> kMethods{
    "GET ", "POST ", "HEAD ", "PUT ", "DELETE ", "OPTIONS ", "PATCH ", "TRACE "};
inline constexpr std::array<std::string_view, 3> kSchemes{"http://", "https://", "ftp://"};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "http-proxy",
                                      .protocol_class = ProtocolClass::proxy,
                                      .title = "HTTP forward proxy",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 9110, RFC 9112 §3.2.2"};
    static constexpr Prefilter prefilter{.ip_protos = {kTcp},
                                         .first_bytes = ByteSet::of({'G', 'P', 'H', 'D', 'O', 'T'}),
                                         .least_length = 1};

    static Evidence match(const FlowHead& head) noexcept {
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            const Bytes stream = head.stream(direction);
            const std::size_t method = word_at(stream, 0, kMethods);
            const std::size_t scheme = method == 0 ? 0 : word_at(stream, method, kSchemes);
            if (scheme != 0) {
                return judge(head, direction, method, scheme);
            }
        }
        return {};
    }

  private:
    template <std::size_t count>
    static std::size_t word_at(Bytes stream,
                               std::size_t offset,
                               const std::array<std::string_view, count>& words) noexcept {
        for (const std::string_view word : words) {
            if (has_text(stream, word, offset)) {
                return word.size();
            }
        }
        return 0;
    }

    static Evidence judge(const FlowHead& head,
                          Direction client,
                          std::size_t method,
                          std::size_t scheme) noexcept {
        const Bytes stream = head.stream(client);
        const Bytes answer = head.stream(opposite(client));
        const std::size_t host = method + scheme;
        std::size_t end = host;
        while (end < stream.size() && is_printable(stream[end]) && stream[end] != ' ') {
            ++end;
        }
        constexpr std::string_view kVersionText = " HTTP/1.";
        const std::size_t name = host_length(stream, host);
        const std::size_t left = std::min(stream.size() - end, kVersionText.size());
        if (left > 0 && (name == 0 || !has_text(stream, kVersionText.substr(0, left), end))) {
            return {};
        }
        const bool whole = left == kVersionText.size();
        if (answer.size() >= kHttpStatus && !is_http_status(answer)) {
            return {};
        }
        Evidence evidence;
        evidence.set_initiator(client);
        // One of eight methods, one of three schemes.
        evidence.add_stream(kMethod, head, client, 0, method, static_cast<double>(method) * 8 - 3);
        add_at(evidence,
               kAbsolute,
               head,
               {client, 0, method},
               0,
               scheme,
               static_cast<double>(scheme) * 8 - 1.6);
        if (name != 0) {
            // A quarter of all octets may stand there: one of two bits for each, eight at most.
            const std::size_t shown = std::min<std::size_t>(name, 8);
            add_at(evidence,
                   kAuthority,
                   head,
                   {client, 0, host},
                   0,
                   shown,
                   static_cast<double>(shown));
        }
        if (whole) {
            add_at(evidence, kVersion, head, {client, 0, end}, 0, 8, 64);
            add_field(evidence, head, client, end);
        }
        if (is_http_status(answer)) {
            evidence.add_stream(kStatus, head, opposite(client), 0, kHttpStatus, 86);
        }
        return evidence;
    }

    // Letters, digits, hyphens, dots, the colon of a port and the brackets of IPv6.
    static std::size_t host_length(Bytes stream, std::size_t offset) noexcept {
        std::size_t end = offset;
        while (end < stream.size()) {
            const std::uint8_t octet = stream[end];
            const bool letter = (octet | 0x20U) >= 'a' && (octet | 0x20U) <= 'z';
            if (!letter && !is_digit(octet) && octet != '-' && octet != '.' && octet != ':' &&
                octet != '[' && octet != ']' && octet != '_') {
                break;
            }
            ++end;
        }
        return end - offset;
    }

    static void add_field(Evidence& evidence,
                          const FlowHead& head,
                          Direction client,
                          std::size_t from) noexcept {
        constexpr std::array<std::string_view, 2> kFields{"\nProxy-Connection:",
                                                          "\nProxy-Authorization:"};
        const Bytes stream = head.stream(client);
        for (const std::string_view field : kFields) {
            const std::size_t found = find_text(stream, field, from);
            if (found < stream.size()) {
                // 18 fixed octets at any of some hundred places; text, so half.
                add_at(evidence, kField, head, {client, 0, found}, 0, field.size(), 64);
                return;
            }
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::http_proxy
