// What the matchers of TLS VPNs share: the request that turns an HTTP connection into a tunnel, and
// the frames behind it. All of it is inside TLS, and in clear text only where TLS ends before the
// VPN server (a balancer, a proxy that inspects).
// Takes: a TCP direction's stream. Gives: whether it begins so, and where the frames begin.
// Guarantees: only octets that were compared are claimed; octets behind the kept stream say
// nothing.
//
// Bits: an octet of a method or of "HTTP/1." counts 8 as in http.hpp, an octet of a path or a
// header line 4: text has no more, and the path is one out of all that web servers have.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/reading.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint {

inline constexpr std::size_t kNowhere = SIZE_MAX;

// Behind the empty line that ends the header of an HTTP message.
inline std::size_t http_body(Bytes stream) noexcept {
    constexpr std::string_view kEmptyLine = "\r\n\r\n";
    const std::size_t found = find_text(stream, kEmptyLine);
    return found == stream.size() ? kNowhere : found + kEmptyLine.size();
}

// How a tunnel is asked for and granted. Lines are header lines with the line end before them.
struct TunnelRules {
    const Rule& request;
    const Rule& version;
    const Rule& answer;
    const Rule* request_line = nullptr;
    const Rule* answer_line = nullptr;
};
struct TunnelOpening {
    std::string_view method;  // with the space behind it
    std::string_view target;
    bool is_whole = true;  // the target ends there
    std::string_view request_line = {};
    bool needs_request_line = false;  // the target alone does not name the protocol
    std::string_view answer_line = {};
    TunnelRules rules;
};

// It may stand anywhere in the header: 8 bits less for the places it was looked for.
inline void add_header_line(Evidence& evidence,
                            const FlowHead& head,
                            Direction direction,
                            const Rule& rule,
                            std::string_view line) noexcept {
    const Bytes stream = head.stream(direction);
    const std::size_t found = find_text(stream, line);
    if (found < stream.size()) {
        const double bits = 4.0 * static_cast<double>(line.size()) - 8;
        add_at(evidence, rule, head, {.direction = direction}, found, line.size(), bits);
    }
}

// The request of one direction; true when the stream begins with it.
inline bool add_tunnel_request(Evidence& evidence,
                               const FlowHead& head,
                               Direction direction,
                               const TunnelOpening& wanted) noexcept {
    const Bytes stream = head.stream(direction);
    if (!has_text(stream, wanted.method) ||
        !has_text(stream, wanted.target, wanted.method.size())) {
        return false;
    }
    if (wanted.needs_request_line && find_text(stream, wanted.request_line) == stream.size()) {
        return false;
    }
    const std::size_t fixed = wanted.method.size() + wanted.target.size();
    std::size_t end = fixed;
    while (!wanted.is_whole && end < stream.size() && stream[end] > 0x20 && stream[end] < 0x7f) {
        ++end;
    }
    constexpr std::string_view kVersion = " HTTP/1.";
    const bool has_version = has_text(stream, kVersion, end);
    // A path that is cut may go on.
    if (!has_version && (wanted.is_whole || end + kVersion.size() <= stream.size())) {
        return false;
    }
    const Place place{.direction = direction};
    const double bits = 8.0 * static_cast<double>(wanted.method.size()) +
                        4.0 * static_cast<double>(wanted.target.size());
    add_at(evidence, wanted.rules.request, head, place, 0, fixed, bits);
    if (has_version) {
        add_at(evidence, wanted.rules.version, head, place, end, kVersion.size(), 64);
    }
    if (wanted.rules.request_line != nullptr) {
        add_header_line(evidence, head, direction, *wanted.rules.request_line, wanted.request_line);
    }
    evidence.set_initiator(direction);
    return true;
}

// The answer that opens the tunnel: "HTTP/1.x 1xx" or "2xx". It is this protocol's when the request
// was seen, or, where that direction is missing, by its header line. True when it is.
inline bool add_tunnel_answer(Evidence& evidence,
                              const FlowHead& head,
                              Direction direction,
                              const TunnelOpening& wanted,
                              bool is_asked) noexcept {
    const Bytes stream = head.stream(direction);
    const bool is_alone = head.direction_count[index_of(opposite(direction))] == 0;
    if (!is_asked && (!is_alone || wanted.rules.answer_line == nullptr)) {
        return false;
    }
    ByteReader reader = at(stream, 7);
    const std::uint8_t minor = reader.u8();
    const std::uint8_t space = reader.u8();
    const std::uint8_t hundreds = reader.u8();
    const std::uint8_t tens = reader.u8();
    const std::uint8_t ones = reader.u8();
    if (!reader.ok() || (minor != '0' && minor != '1') || space != ' ' ||
        (hundreds != '1' && hundreds != '2') || !is_digit(tens) || !is_digit(ones)) {
        return false;
    }
    if (!is_asked && find_text(stream, wanted.answer_line) == stream.size()) {
        return false;
    }
    // As http.hpp counts it.
    add_at(evidence, wanted.rules.answer, head, {.direction = direction}, 0, 12, 86);
    if (wanted.rules.answer_line != nullptr) {
        add_header_line(evidence, head, direction, *wanted.rules.answer_line, wanted.answer_line);
    }
    evidence.set_initiator(opposite(direction));
    return true;
}

// Request and answer of a flow, as far as they are there. Gives by direction where the tunnel's
// frames begin: behind them, at once where no HTTP is seen, kNowhere where they cannot.
inline std::array<std::size_t, 2> add_opening(Evidence& evidence,
                                              const FlowHead& head,
                                              const TunnelOpening& wanted) noexcept {
    std::array<std::size_t, 2> frames{};
    std::array<bool, 2> asks{};
    for (const Direction direction : {Direction::forward, Direction::reverse}) {
        asks[index_of(direction)] = add_tunnel_request(evidence, head, direction, wanted);
        if (asks[index_of(direction)]) {
            frames[index_of(direction)] = http_body(head.stream(direction));
        }
    }
    for (const Direction direction : {Direction::forward, Direction::reverse}) {
        const Bytes stream = head.stream(direction);
        if (!has_text(stream, "HTTP/1.")) {
            continue;
        }
        const bool granted = add_tunnel_answer(
            evidence, head, direction, wanted, asks[index_of(opposite(direction))]);
        frames[index_of(direction)] = granted ? http_body(stream) : kNowhere;
    }
    return frames;
}

// PPP in a frame (RFC 1661 §2): address and control FF 03 unless they were negotiated away, then a
// protocol number. Octets that were recognised; 0: none.
inline std::size_t ppp_header(Bytes octets, std::size_t offset) noexcept {
    ByteReader reader = at(octets, offset);
    std::uint16_t protocol = reader.be16();
    std::size_t length = 2;
    if (protocol == 0xff03) {
        protocol = reader.be16();
        length = 4;
    }
    if (!reader.ok()) {
        return 0;
    }
    switch (protocol) {
        case 0x0021:  // IPv4
        case 0x0057:  // IPv6
        case 0x8021:  // IPCP
        case 0x8057:  // IPv6CP
        case 0x80fd:  // compression control
        case 0xc021:  // link control
        case 0xc023:  // PAP
        case 0xc223:  // CHAP
        case 0xc227:  // EAP
            return length;
        default:
            return 0;
    }
}

// Octets of a frame that were compared. A length that nothing else agrees with counts only where
// the frame ends where the next begins or where a segment ends.
struct TunnelClaim {
    std::size_t offset = 0;  // in the frame
    std::size_t length = 0;
    double bits = 0;
    bool needs_end = false;
};

struct TunnelFrame {
    std::size_t length = 0;      // whole, with its header
    const Rule* rule = nullptr;  // which kind it is
    std::array<TunnelClaim, 3> claims{};
};

// Walks the frames of both directions; `read(stream, offset, frame)` says whether one begins there.
// `header` is the longest header a frame has: what is cut says nothing. False when frames lead to
// what is none: then it is not this protocol.
template <typename Read>
bool add_tunnel_frames(Evidence& evidence,
                       const FlowHead& head,
                       const std::array<std::size_t, 2>& begins,
                       std::size_t header,
                       Read read) noexcept {
    constexpr std::size_t kMost = 4;
    for (const Direction direction : {Direction::forward, Direction::reverse}) {
        const Bytes stream = head.stream(direction);
        std::size_t offset = begins[index_of(direction)];
        TunnelFrame frame;
        bool is_frame = offset < stream.size() && read(stream, offset, frame);
        for (std::size_t count = 0; is_frame && count < kMost; ++count) {
            const std::size_t end = offset + frame.length;
            TunnelFrame next;  // NOLINT(misc-const-correctness): `read` fills it
            const bool follows = end < stream.size() && read(stream, end, next);
            if (!follows && end + header <= stream.size()) {
                return false;
            }
            const bool ends = follows || is_segment_end(head, direction, end);
            for (const TunnelClaim& claim : frame.claims) {
                if (claim.length > 0 && (ends || !claim.needs_end)) {
                    add_at(evidence,
                           *frame.rule,
                           head,
                           {.direction = direction, .offset = offset},
                           claim.offset,
                           claim.length,
                           count < 2 ? claim.bits : 2);
                }
            }
            offset = end;
            frame = next;
            is_frame = follows;
        }
    }
    return true;
}

}  // namespace flowclass::fingerprint
