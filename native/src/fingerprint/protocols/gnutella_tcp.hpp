// Gnutella (Gnutella protocol 0.6 §2.2), TCP: a handshake in lines.
//
//  client: "GNUTELLA CONNECT/0.6" CR LF headers | server: "GNUTELLA/0.6 200 OK" CR LF
//  uploads: "GIV " number
//
// Sources: Gnutella protocol development: RFC-Gnutella 0.6 §2.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text_line.hpp"

namespace flowclass::fingerprint::gnutella_tcp {

inline constexpr Rule kHandshake{
    "gnutella.tcp_handshake", "GNUTELLA, CONNECT or a version and a status; RFC-Gnutella 0.6 §2.2"};

inline constexpr std::array<std::uint16_t, 1> kPorts{6346};
inline constexpr std::array<const Rule*, 1> kRules{&kHandshake};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "gnutella",
        .protocol_class = ProtocolClass::app,
        .title = "Gnutella",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "Gnutella protocol development: RFC-Gnutella 0.6 §2.2"};
    static constexpr Prefilter prefilter{.ip_protos = {kTcp},
                                         .first_bytes = ByteSet::of({'G'}),
                                         .least_length = 11,
                                         .octets = {{{1, ByteSet::of({'N'})}}}};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        for (const std::string_view text : {"GNUTELLA CONNECT/0.", "GNUTELLA/0."}) {
            if (has_text(side.stream(), text)) {
                side.add(evidence,
                         kHandshake,
                         0,
                         text.size(),
                         kLetterBits * static_cast<double>(text.size()) - 1);
            }
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::gnutella_tcp
