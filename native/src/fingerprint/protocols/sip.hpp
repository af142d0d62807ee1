// SIP (RFC 3261 §7) over UDP and TCP.
//
// Request: METHOD SP sip:... or sips:... or tel:... SP SIP/2.0 CRLF
// Status:  SIP/2.0 SP 3 digits SP reason CRLF
// Between messages: CRLF keep-alives (RFC 5626 §3.5.1) and a few zero octets, seen in practice.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint::sip {

inline constexpr Rule kMethod{"sip.method", "a method's name and a space; RFC 3261 §7.1"};
inline constexpr Rule kScheme{"sip.uri_scheme", "sip:, sips: or tel: behind it; RFC 3261 §19.1"};
inline constexpr Rule kVersion{"sip.request_version",
                               "SIP/2.0 ends the request line; RFC 3261 §7.1"};
inline constexpr Rule kStatus{"sip.status_line", "SIP/2.0 and a three-digit code; RFC 3261 §7.2"};
inline constexpr Rule kPort{"sip.port", "port 5060 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{5060};
inline constexpr std::array<const Rule*, 5> kRules{&kMethod, &kScheme, &kVersion, &kStatus, &kPort};

// Of the methods, and of SIP itself.
inline constexpr ByteSet kInitials =
    ByteSet::of({'A', 'B', 'C', 'I', 'M', 'N', 'O', 'P', 'R', 'S', 'U'});

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "sip",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Session Initiation Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 3261, RFC 5626"};
    // A method's first letter, or a keep-alive.
    static constexpr Prefilter prefilter{.ip_protos = {kUdp, kTcp},
                                         .first_bytes = kInitials | ByteSet::of({'\r', '\n', 0}),
                                         .least_length = 1};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        Tally tally;
        if (head.ip_proto == kTcp) {
            for (const Direction direction : {Direction::forward, Direction::reverse}) {
                // Keep-alives may come first.
                Bytes stream = head.stream(direction);
                std::size_t offset = 0;
                while (offset < stream.size() && offset < 8 && is_line_end(stream[offset])) {
                    ++offset;
                }
                if (offset < stream.size()) {
                    const Place place{direction, 0, offset};
                    const Line line = read(stream.subspan(offset));
                    const bool open =
                        line.reading == Reading::contradicts && stream.size() - offset < kLeastLine;
                    tally.add(open ? Reading::cut : line.reading);
                    add(evidence, head, place, line);
                }
            }
        } else {
            std::array<bool, 2> said{};
            for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
                const Payload payload = head.payload(entry);
                if (payload.length <= 4 && is_keep_alive(payload.bytes)) {
                    continue;
                }
                const Line line = read(payload.bytes);
                const bool cut =
                    line.reading == Reading::contradicts &&
                    payload.bytes.size() < std::min<std::size_t>(payload.length, kLeastLine);
                tally.add(cut ? Reading::cut : line.reading);
                bool& by_this_side = said[index_of(payload.direction)];
                if (line.reading == Reading::fits && !by_this_side) {
                    by_this_side = true;
                    add(evidence, head, {payload.direction, entry, 0}, line);
                }
            }
        }
        if (!tally.holds() || evidence.empty()) {
            return {};
        }
        if (head.has_port(5060)) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static constexpr std::size_t kLeastLine = 16;
    static constexpr std::string_view kSip = "SIP/2.0";

    struct Line {
        Reading reading = Reading::contradicts;
        std::size_t method = 0;  // its length; 0 in a status line
        std::size_t scheme = 0;
        std::size_t version_at = 0;  // 0 when it was not kept
    };

    static bool is_line_end(std::uint8_t octet) noexcept { return octet == '\r' || octet == '\n'; }
    static bool is_keep_alive(Bytes bytes) noexcept {
        return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t octet) {
            return is_line_end(octet) || octet == 0;
        });
    }
    // IANA "SIP Methods".
    static std::size_t method_length(Bytes bytes) noexcept {
        constexpr std::array<std::string_view, 14> kMethods{"INVITE ",
                                                            "ACK ",
                                                            "BYE ",
                                                            "CANCEL ",
                                                            "REGISTER ",
                                                            "OPTIONS ",
                                                            "INFO ",
                                                            "PRACK ",
                                                            "UPDATE ",
                                                            "SUBSCRIBE ",
                                                            "NOTIFY ",
                                                            "PUBLISH ",
                                                            "MESSAGE ",
                                                            "REFER "};
        for (const std::string_view method : kMethods) {
            if (has_text(bytes, method)) {
                return method.size();
            }
        }
        return 0;
    }
    static std::size_t scheme_length(Bytes bytes) noexcept {
        constexpr std::array<std::string_view, 3> kSchemes{"sip:", "sips:", "tel:"};
        for (const std::string_view scheme : kSchemes) {
            if (has_text(bytes, scheme)) {
                return scheme.size();
            }
        }
        return 0;
    }

    static Line read(Bytes bytes) noexcept {
        Line line;
        if (bytes.empty() || !kInitials.contains(bytes[0])) {
            return line;
        }
        if (has_text(bytes, kSip)) {
            ByteReader reader = at(bytes, kSip.size());
            const bool space = reader.u8() == ' ';
            const std::uint8_t hundreds = reader.u8();
            const std::uint8_t tens = reader.u8();
            const std::uint8_t units = reader.u8();
            const bool code = hundreds >= '1' && hundreds <= '6' && tens >= '0' && tens <= '9' &&
                              units >= '0' && units <= '9';
            line.reading = reader.ok() && space && code ? Reading::fits : Reading::contradicts;
            return line;
        }
        line.method = method_length(bytes);
        line.scheme = line.method == 0 ? 0 : scheme_length(bytes.subspan(line.method));
        if (line.scheme == 0) {
            return line;
        }
        line.reading = Reading::fits;
        const auto end = std::find_if(bytes.begin(), bytes.end(), is_line_end);
        const Bytes request = bytes.first(static_cast<std::size_t>(end - bytes.begin()));
        if (end != bytes.end() && request.size() > line.method + line.scheme + kSip.size() &&
            has_text(request.last(kSip.size()), kSip)) {
            line.version_at = request.size() - kSip.size();
        }
        return line;
    }

    static void add(Evidence& evidence,
                    const FlowHead& head,
                    const Place& place,
                    const Line& line) noexcept {
        if (line.reading != Reading::fits) {
            return;
        }
        evidence.set_initiator(line.method > 0 ? place.direction : opposite(place.direction));
        if (line.method == 0) {
            // Eight constant octets; three digits: 5 bits each, less for text.
            add_at(evidence, kStatus, head, place, 0, 11, 72);
            return;
        }
        // One of 14 words of four octets and more, in capitals as other protocols' words are.
        add_at(evidence, kMethod, head, place, 0, line.method, 24);
        add_at(evidence, kScheme, head, place, line.method, line.scheme, 30);
        if (line.version_at != 0) {
            add_at(evidence, kVersion, head, place, line.version_at, kSip.size(), 48);
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::sip
