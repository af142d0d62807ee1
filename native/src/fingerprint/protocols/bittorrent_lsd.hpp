// BitTorrent local service discovery: an HTTP-like notice by multicast.
//
// BT-SEARCH * HTTP/1.1 CRLF Host: 239.192.152.143:6771 CRLF Port: ... CRLF Infohash: ...
//
// Sources: BEP 14.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::bittorrent_lsd {

inline constexpr Rule kStart{"bittorrent.lsd_start_line",
                             "BT-SEARCH * HTTP/1.1 begins the datagram; BEP 14"};
inline constexpr Rule kPort{"bittorrent.bittorrent_lsd_port", "UDP port 6771 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{6771};
inline constexpr std::array<const Rule*, 2> kRules{&kStart, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "bittorrent",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "BitTorrent local peer discovery",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "BEP 14"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({'B'}), .least_length = 32};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::string_view kLine = "BT-SEARCH * HTTP/1.1\r\n";
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                if (!has_text(payload.bytes, kLine)) {
                    return payload.bytes.size() < kLine.size() ? ran_out(payload)
                                                               : Reading::contradicts;
                }
                evidence.add(
                    kStart, head, payload.entry, 0, kLine.size(), first ? word_bits(kLine) : 4);
                evidence.set_initiator(payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::bittorrent_lsd
