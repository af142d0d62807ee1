// RTSP 1.0 and 2.0 (RFC 2326 §6, §7; RFC 7826), TCP.
//
//  request: method SP "rtsp://" ... SP "RTSP/1.0" CR LF
//  answer:  "RTSP/1.0" SP three digits SP reason CR LF
//
// Sources: RFC 2326 §6, §7, §10; RFC 7826 §20.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text_line.hpp"

namespace flowclass::fingerprint::rtsp {

inline constexpr Rule kMethod{
    "rtsp.method", "a method and an address rtsp, rtspu, rtsps or an asterisk; RFC 2326 §6.1"};
inline constexpr Rule kVersion{"rtsp.version",
                               "RTSP/1.0 or 2.0 ends the request line; RFC 2326 §6.1"};
inline constexpr Rule kStatus{"rtsp.status_line",
                              "RTSP/1.0 or 2.0 and a status of three digits; RFC 2326 §7.1"};

inline constexpr std::array<std::uint16_t, 2> kPorts{554, 8554};
inline constexpr std::array<const Rule*, 3> kRules{&kMethod, &kVersion, &kStatus};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "rtsp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Real Time Streaming Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 2326 §6, §7, §10; RFC 7826 §20"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::of({'R', 'O', 'D', 'S', 'P', 'T', 'A', 'G', 'F'}),
        .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static constexpr std::array<std::string_view, 13> kMethods{"OPTIONS ",
                                                               "DESCRIBE ",
                                                               "SETUP ",
                                                               "PLAY ",
                                                               "PAUSE ",
                                                               "TEARDOWN ",
                                                               "ANNOUNCE ",
                                                               "RECORD ",
                                                               "GET_PARAMETER ",
                                                               "SET_PARAMETER ",
                                                               "REDIRECT ",
                                                               "PLAY_NOTIFY ",
                                                               "FLUSH "};

    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        const Bytes stream = side.stream();
        if (has_text(stream, "RTSP/1.0 ") || has_text(stream, "RTSP/2.0 ")) {
            if (stream.size() >= 12 && stream[9] >= '1' && stream[9] <= '5' &&
                is_digit(stream[10]) && is_digit(stream[11])) {
                // Nine octets of text and a bit of choice; three digits.
                side.add(evidence, kStatus, 0, 12, 60);
                evidence.set_initiator(opposite(side.direction()));
            }
            return true;
        }
        for (const std::string_view method : kMethods) {
            if (has_text(stream, method)) {
                return add_request(evidence, side, method.size());
            }
        }
        return !side.from_start() || stream.size() < 8;
    }

    static bool add_request(Evidence& evidence,
                            const StreamSide& side,
                            std::size_t target) noexcept {
        const Bytes stream = side.stream();
        std::size_t scheme = 0;
        for (const std::string_view known : {"rtsp://", "rtsps://", "rtspu://"}) {
            scheme = has_text(stream, known, target) ? known.size() : scheme;
        }
        std::size_t end = target;
        while (end < stream.size() && stream[end] > 0x20) {
            ++end;
        }
        const bool version =
            has_text(stream, " RTSP/1.0", end) || has_text(stream, " RTSP/2.0", end);
        if (scheme == 0 && !version) {
            return end == stream.size();
        }
        side.add(evidence, kMethod, 0, target + scheme, word_bits(target + scheme, kMethods));
        if (version) {
            side.add(evidence, kVersion, end, 9, 48);
        }
        evidence.set_initiator(side.direction());
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::rtsp
