// The name of a VPN provider in a ClientHello (TLS, DTLS, QUIC): RFC 6066 §3.
//
// A name says that a program or a person talks to the provider: an API, a web page, a relay; seldom
// that this flow is the tunnel. It is worth `possible`, whatever else holds, and the flow stays
// what its octets say it is (tls, quic, dtls): this is what else it may be.
//
// Sources: RFC 6066 §3; each name's own in fingerprint/provider_names.csv.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/contract.hpp"
#include "fingerprint/provider_names.hpp"

namespace flowclass::fingerprint::vpn_provider {

inline constexpr Rule kName{"vpn-provider.server_name",
                            "the server name that the client asks for is a VPN provider's, or "
                            "below it; RFC 6066 §3, provider_names.csv"};
inline constexpr std::array<std::uint16_t, 1> kPorts{443};
inline constexpr std::array<const Rule*, 1> kRules{&kName};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "vpn-provider",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "Service of a VPN provider",
                                      .ports = kPorts,
                                      .variants = kVpnProviders,
                                      .rules = kRules,
                                      .sources = "RFC 6066, provider_names.csv"};
    // TLS and DTLS records, STUN before DTLS, QUIC long headers.
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp, kUdp},
        .first_bytes = ByteSet::of({0x16, 0x00, 0x01}) | ByteSet::range(0xc0, 0xff),
        .least_length = 1};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        if (head.hello == nullptr) {
            return evidence;
        }
        const ProviderName* const found = find_provider(head.hello->server_name());
        if (found == nullptr || found->role != ProviderRole::vpn) {
            return evidence;
        }
        // A name of ten octets and more is no chance; but it proves a service, not a tunnel: 16 is
        // the least that is shown at all.
        add_hello_field(evidence, kName, head, name_octets(*head.hello, found->suffix), 16);
        if (!evidence.empty()) {
            evidence.set_variant(found->provider);
            evidence.set_initiator(head.hello->direction);
        }
        return evidence;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::vpn_provider
