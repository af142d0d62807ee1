// HTTP/1 (RFC 9112 §3, §4) and HTTP/2 in clear text (RFC 9113 §3.4).
//
//  request:  method SP target SP "HTTP/1." digit CR LF ...
//  response: "HTTP/1." digit SP 3 digits SP ...
//  HTTP/2:   "PRI * HTTP/2.0" CR LF CR LF "SM" CR LF CR LF, then frames
//
// CONNECT asks for a tunnel: no evidence here, nor for the answer to it where that is all there is.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::http {

inline constexpr Rule kMethod{"http.method",
                              "the stream begins with a registered method, a space, and a target "
                              "that is a path, an asterisk or an http address; RFC 9112 §3"};
inline constexpr Rule kRequestVersion{"http.request_version",
                                      "the request line ends in HTTP/1 and a line end; RFC 9112 "
                                      "§3"};
inline constexpr Rule kStatus{"http.status_line",
                              "the stream begins with HTTP/1, a space and a status from 100 to "
                              "599; RFC 9112 §4"};
inline constexpr Rule kPreface{"http.h2_preface",
                               "the stream begins with the HTTP/2 connection preface; RFC 9113 "
                               "§3.4"};
inline constexpr Rule kSettings{"http.h2_settings",
                                "the server's first frame is SETTINGS on stream 0; RFC 9113 §3.4, "
                                "§6.5"};

inline constexpr std::array<std::uint16_t, 3> kPorts{80, 8080, 8000};
inline constexpr std::array<const Rule*, 5> kRules{
    &kMethod, &kRequestVersion, &kStatus, &kPreface, &kSettings};

// HTTP Method Registry, IANA, and UPnP's; CONNECT is left out on purpose.
inline constexpr std::array<std::string_view, 32> kMethods{
    "GET ",      "POST ",      "HEAD ",   "PUT ",        "DELETE ",     "OPTIONS ", "PATCH ",
    "TRACE ",    "PROPFIND ",  "MKCOL ",  "PROPPATCH ",  "COPY ",       "MOVE ",    "LOCK ",
    "UNLOCK ",   "REPORT ",    "SEARCH ", "MERGE ",      "MKACTIVITY ", "LABEL ",   "CHECKIN ",
    "CHECKOUT ", "SUBSCRIBE ", "NOTIFY ", "BIND ",       "UNBIND ",     "ACL ",     "MKCALENDAR ",
    "UPDATE ",   "LINK ",      "UNLINK ", "UNSUBSCRIBE "};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "http",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Hypertext Transfer Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 9110, RFC 9112, RFC 9113"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::range('A', 'U'), .least_length = 1};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            const Bytes stream = head.stream(direction);
            if (has_text(stream, "CONNECT ") || is_tunnel_answer(stream)) {
                return {};
            }
            if (is_http_status(stream)) {
                add_response(evidence, head, direction);
            } else if (!add_request(evidence, head, direction)) {
                add_preface(evidence, head, direction);
            }
        }
        return evidence;
    }

  private:
    // The usual reason phrase of an answer to CONNECT; the request may be outside the capture.
    static bool is_tunnel_answer(Bytes stream) noexcept {
        return has_text(stream, "HTTP/1.") &&
               (has_text(stream, " 200 Connection ", 8) || has_text(stream, " 200 connection ", 8));
    }

    static bool add_request(Evidence& evidence,
                            const FlowHead& head,
                            Direction direction) noexcept {
        const Bytes stream = head.stream(direction);
        std::size_t target = 0;
        for (const std::string_view method : kMethods) {
            if (has_text(stream, method)) {
                target = method.size();
                break;
            }
        }
        if (target == 0 || !is_target(stream, target)) {
            return false;
        }
        std::size_t end = target;
        while (end < stream.size() && stream[end] > 0x20 && stream[end] != 0x7f) {
            ++end;
        }
        const bool whole = end < stream.size();
        if (whole && !has_text(stream, " HTTP/1.", end)) {
            return false;  // RTSP, SIP, or no version at all
        }
        // One of 32 methods, one of three beginnings.
        evidence.add_stream(
            kMethod, head, direction, 0, target + 1, static_cast<double>(target) * 8 - 5 + 6);
        if (whole) {
            evidence.add_stream(kRequestVersion, head, direction, end, 8, 64);
        }
        evidence.set_initiator(direction);
        return true;
    }

    static bool is_target(Bytes stream, std::size_t offset) noexcept {
        return has_text(stream, "/", offset) || has_text(stream, "* ", offset) ||
               has_text(stream, "http://", offset) || has_text(stream, "https://", offset);
    }

    static void add_response(Evidence& evidence,
                             const FlowHead& head,
                             Direction direction) noexcept {
        // Eight fixed octets, a bit of choice, and three digits.
        evidence.add_stream(kStatus, head, direction, 0, kHttpStatus, 86);
    }

    static void add_preface(Evidence& evidence,
                            const FlowHead& head,
                            Direction direction) noexcept {
        constexpr std::string_view kText = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        if (!has_text(head.stream(direction), kText)) {
            return;
        }
        evidence.add_stream(kPreface, head, direction, 0, kText.size(), 192);
        evidence.set_initiator(direction);
        const Direction answer = opposite(direction);
        ByteReader reader(head.stream(answer));
        const std::uint32_t length = reader.be24();
        const std::uint16_t type_and_flags = reader.be16();
        const std::uint32_t stream_id = reader.be32();
        if (reader.ok() && length % 6 == 0 && length <= 120 && type_and_flags == 0x0400 &&
            stream_id == 0) {
            // 21 lengths of 2^24, two fixed octets, and zeros at half their worth.
            evidence.add_stream(kSettings, head, answer, 0, 9, 48);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::http
