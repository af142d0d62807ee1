// HTTP CONNECT (RFC 9110 §9.3.6, RFC 9112 §3.2.3): a client asks a proxy for a tunnel.
//
//  request:  "CONNECT" SP host ":" port SP "HTTP/1." digit CR LF, header fields, CR LF
//  answer:   "HTTP/1." digit SP 3 digits ...; any 2xx, and behind the header section both
//            directions belong to the tunnel
//
// The usual reason phrase of the answer, "Connection established", tells it without the request.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/carried.hpp"

namespace flowclass::fingerprint::http_connect {

inline constexpr Rule kRequest{"http-connect.request",
                               "the stream begins with CONNECT and a space; RFC 9110 §9.3.6"};
inline constexpr Rule kAuthority{"http-connect.authority",
                                 "the target ends in a colon and a port; RFC 9112 §3.2.3"};
inline constexpr Rule kVersion{"http-connect.version",
                               "the request line ends in HTTP/1; RFC 9112 §3"};
inline constexpr Rule kAnswer{"http-connect.status_line",
                              "the answer begins with HTTP/1 and a status; RFC 9112 §4"};
inline constexpr Rule kEstablished{"http-connect.established",
                                   "a status of 200 whose phrase begins with Connection, as "
                                   "proxies answer CONNECT alone; RFC 9110 §9.3.6"};
inline constexpr Rule kCarried{"http-connect.carried",
                               "behind the header section begins TLS, SSH or HTTP; RFC 9110 "
                               "§9.3.6, RFC 8446 §5.1, RFC 4253 §4.2"};

inline constexpr std::array<std::uint16_t, 2> kPorts{3128, 8080};
inline constexpr std::array<const Rule*, 6> kRules{
    &kRequest, &kAuthority, &kVersion, &kAnswer, &kEstablished, &kCarried};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "http-connect",
                                      .protocol_class = ProtocolClass::proxy,
                                      .title = "HTTP CONNECT proxy",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 9110 §9.3.6, RFC 9112"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'C', 'H'}), .least_length = 1};

    static Evidence match(const FlowHead& head) noexcept {
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            if (has_text(head.stream(direction), kMethod)) {
                return judge_request(head, direction);
            }
        }
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            if (is_established(head.stream(direction))) {
                return judge_answer(head, direction);
            }
        }
        return {};
    }

  private:
    static constexpr std::string_view kMethod = "CONNECT ";
    static constexpr std::string_view kEnd = "\r\n\r\n";

    static Evidence judge_request(const FlowHead& head, Direction client) noexcept {
        const Bytes stream = head.stream(client);
        const Bytes answer = head.stream(opposite(client));
        std::size_t end = kMethod.size();
        while (end < stream.size() && is_printable(stream[end]) && stream[end] != ' ') {
            ++end;
        }
        const bool whole = end < stream.size();
        const std::size_t port = port_digits(stream.first(end));
        if (whole && (port == 0 || !has_text(stream, " HTTP/1.", end))) {
            return {};
        }
        if (answer.size() >= kHttpStatus && !is_http_status(answer)) {
            return {};  // no proxy answers so
        }
        Evidence evidence;
        // Eight fixed octets.
        evidence.add_stream(kRequest, head, client, 0, kMethod.size(), 64);
        evidence.set_initiator(client);
        if (whole) {
            // A colon and digits: 8 + 4 for the first of them.
            add_at(evidence, kAuthority, head, {client, 0, end - port - 1}, 0, port + 1, 12);
            add_at(evidence, kVersion, head, {client, 0, end}, 0, 8, 64);
        }
        if (answer.size() >= kHttpStatus) {
            add_answer(evidence, head, opposite(client));
        }
        return evidence;
    }

    // The request is not there, or the tunnel was asked for in a way that is not known.
    static Evidence judge_answer(const FlowHead& head, Direction server) noexcept {
        Evidence evidence;
        evidence.set_initiator(opposite(server));
        add_answer(evidence, head, server);
        return evidence;
    }

    static void add_answer(Evidence& evidence, const FlowHead& head, Direction server) noexcept {
        const Bytes stream = head.stream(server);
        // Eight fixed octets, a bit of choice, and three digits.
        evidence.add_stream(kAnswer, head, server, 0, kHttpStatus, 86);
        if (is_established(stream)) {
            // " Connection " with either C; a phrase is text: 6 of 8 bits an octet.
            add_at(evidence, kEstablished, head, {server, 0, kHttpStatus}, 0, 12, 66);
        }
        if (stream[9] == '2') {
            std::array<std::size_t, 2> begins{};
            begins[index_of(server)] = behind_fields(stream);
            begins[index_of(opposite(server))] = behind_fields(head.stream(opposite(server)));
            add_carried(evidence, kCarried, head, begins);
        }
    }

    static std::size_t behind_fields(Bytes stream) noexcept {
        const std::size_t end = find_text(stream, kEnd);
        return end < stream.size() ? end + kEnd.size() : 0;
    }

    // How many digits the authority ends in, behind a colon; 0 when it does not.
    static std::size_t port_digits(Bytes request) noexcept {
        std::size_t digits = 0;
        while (digits < 6 && digits < request.size() &&
               is_digit(request[request.size() - 1 - digits])) {
            ++digits;
        }
        const bool colon = digits > 0 && digits < 6 && digits < request.size() &&
                           request[request.size() - 1 - digits] == ':';
        return colon ? digits : 0;
    }

    static bool is_established(Bytes stream) noexcept {
        return is_http_status(stream) &&
               (has_text(stream, "200 Connection ", 9) || has_text(stream, "200 connection ", 9));
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::http_connect
