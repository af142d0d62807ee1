// SSDP, the discovery of UPnP: HTTP start lines in datagrams.
//
// M-SEARCH * HTTP/1.1 | NOTIFY * HTTP/1.1 | HTTP/1.1 200 OK, the answer, by unicast
//
// Sources: UPnP Device Architecture 2.0.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::ssdp {

inline constexpr Rule kStart{"ssdp.start_line",
                             "a search, a notice or the answer to a search, as HTTP 1.1 in a "
                             "datagram; UPnP Device Architecture 2.0 §1.2, §1.3"};
inline constexpr Rule kPort{"ssdp.port", "UDP port 1900 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{1900};
inline constexpr std::array<const Rule*, 2> kRules{&kStart, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "ssdp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Simple Service Discovery Protocol",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "UPnP Device Architecture 2.0"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({'M', 'N', 'H'}), .least_length = 19};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::array<std::string_view, 3> kLines{
            "M-SEARCH * HTTP/1.1\r\n", "NOTIFY * HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n"};
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                const std::string_view line = word_at(payload.bytes, kLines);
                if (line.empty()) {
                    return payload.bytes.size() < 24 ? ran_out(payload) : Reading::contradicts;
                }
                const bool answer = line.front() == 'H';
                evidence.set_initiator(answer ? opposite(payload.direction) : payload.direction);
                evidence.add(
                    kStart, head, payload.entry, 0, line.size(), first ? word_bits(line) : 4);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::ssdp
