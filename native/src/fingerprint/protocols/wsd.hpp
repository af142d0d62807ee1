// WS-Discovery: SOAP envelopes in datagrams.
//
// <?xml version="1.0" encoding="utf-8"?> | <soap:Envelope ... with any prefix, or the envelope
// alone
//
// Sources: OASIS SOAP-over-UDP 1.1, OASIS WS-Discovery 1.1, SOAP 1.2.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::wsd {

inline constexpr Rule kXml{
    "wsd.declaration",
    "an XML declaration begins the datagram; SOAP-over-UDP 1.1 §3, XML 1.0 §2.8"};
inline constexpr Rule kEnvelope{"wsd.envelope",
                                "the first element is a SOAP envelope; SOAP 1.2 part 1 §5.1"};
inline constexpr Rule kPort{"wsd.port", "UDP port 3702 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{3702};
inline constexpr std::array<const Rule*, 3> kRules{&kXml, &kEnvelope, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "wsd",
        .protocol_class = ProtocolClass::app,
        .title = "Web Services Dynamic Discovery",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "OASIS SOAP-over-UDP 1.1, OASIS WS-Discovery 1.1, SOAP 1.2"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::of({'<'}),
        .least_length = 64,
        // No name begins with a digit.
        .octets = {{{1, ByteSet::range(0, '0' - 1) | ByteSet::range('9' + 1, 255)}}}};

    static Evidence match(const FlowHead& head) noexcept {
        constexpr std::string_view kDeclaration = "<?xml version=";
        constexpr std::string_view kElement = ":Envelope";
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                if (payload.bytes.size() < 64) {
                    return ran_out(payload);
                }
                const bool declared = has_text(payload.bytes, kDeclaration);
                const std::size_t envelope = find_text(payload.bytes, kElement);
                if (envelope == payload.bytes.size() || !is_text(payload.bytes.first(envelope))) {
                    return Reading::contradicts;
                }
                if (declared) {
                    evidence.add(kXml,
                                 head,
                                 payload.entry,
                                 0,
                                 kDeclaration.size(),
                                 first ? word_bits(kDeclaration) / 2 : 2);
                }
                // XML is common, an envelope in a datagram is not; found at any of 64 places.
                evidence.add(kEnvelope,
                             head,
                             payload.entry,
                             envelope,
                             kElement.size(),
                             first ? word_bits(kElement) - 6 : 2);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::wsd
