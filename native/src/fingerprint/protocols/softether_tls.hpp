// SoftEther's client over TLS: its ClientHello as the library that it carries within it builds it,
// with 88 cipher suites (all that OpenSSL 1.1.1 has with the weak ones compiled in, without the
// anonymous ones), nine extensions and no ALPN. JA4 says it in one word.
//
// The same library built the same way says the same in another program: `possible`, never more. The
// flow stays tls.
//
// Sources: FoxIO ja4plus-mapping.csv, "SoftEther VPN Client".
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"
#include "fingerprint/provider_names.hpp"

namespace flowclass::fingerprint::softether_tls {

inline constexpr std::string_view kClientJa4 = "t13d880900_fcb5b95cb75a_b0d3b4ac2a14";
inline constexpr Rule kClient{"softether.client_ja4",
                              "the ClientHello's JA4 is that of SoftEther's client; FoxIO "
                              "ja4plus-mapping.csv"};
inline constexpr std::array<std::uint16_t, 4> kPorts{443, 992, 1194, 5555};
inline constexpr std::array<std::string_view, 1> kVariants{"tls"};
inline constexpr std::array<const Rule*, 1> kRules{&kClient};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "softether",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "SoftEther VPN",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "FoxIO ja4plus-mapping.csv"};
    static constexpr Prefilter prefilter{.ip_protos = {kTcp}, .first_bytes = ByteSet::of({0x16})};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        if (head.hello == nullptr || head.hello->ja4() != kClientJa4) {
            return evidence;
        }
        // 88 suites in one set of many: no chance, but a build of a library and not a protocol.
        add_hello_field(evidence, kClient, head, head.hello->cipher_suites, 20);
        if (!evidence.empty()) {
            evidence.set_variant(kVariants[0]);
            evidence.set_initiator(head.hello->direction);
        }
        return evidence;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::softether_tls
