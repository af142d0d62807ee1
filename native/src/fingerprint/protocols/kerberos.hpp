// Kerberos 5 over UDP: a message is a datagram (RFC 4120 §7.2.1); see
// fingerprint/kerberos_message.hpp.
//
// Sources: RFC 4120.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"
#include "fingerprint/kerberos_message.hpp"

namespace flowclass::fingerprint::kerberos {

inline constexpr Rule kTag{"kerberos.message",
                           "an application tag of Kerberos around a SEQUENCE, both to the end of "
                           "the datagram; RFC 4120 §5.10"};
inline constexpr Rule kFields{"kerberos.fields",
                              "version 5 and the type that the tag has; RFC 4120 §5.4.1, §5.9.1"};
inline constexpr Rule kAnswer{
    "kerberos.answer",
    "an answer of the kind that was asked for, or an error; RFC 4120 §3.1, §3.3"};
inline constexpr Rule kPort{"kerberos.port", "UDP port 88, 464 or 750 on either side"};

inline constexpr std::array<std::uint16_t, 3> kPorts{88, 464, 750};
inline constexpr std::array<const Rule*, 4> kRules{&kTag, &kFields, &kAnswer, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "kerberos",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Kerberos 5",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 4120"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::range(0x6a, 0x6f) |
                                                        ByteSet::range(0x74, 0x76) |
                                                        ByteSet::of({0x7e}),
                                         .least_length = 24};

    static Evidence match(const FlowHead& head) noexcept {
        std::array<std::uint8_t, 2> asked{};
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                const KerberosMessage message = read_kerberos(payload.bytes, payload.length);
                if (message.reading != Reading::fits || message.length != payload.length) {
                    return message.reading == Reading::cut ? Reading::cut : Reading::contradicts;
                }
                if (first) {
                    evidence.add(kTag, head, payload.entry, 0, message.fields, kKerberosTagBits);
                    // A datagram's length 10: the lengths before agree with it.
                    evidence.add(kFields,
                                 head,
                                 payload.entry,
                                 message.fields,
                                 message.fields_end - message.fields,
                                 kKerberosFieldBits);
                }
                std::uint8_t& question = asked[index_of(opposite(payload.direction))];
                if (question != 0 && (message.type == question + 1 || message.type == kError)) {
                    evidence.add(kAnswer, head, payload.entry, 0, 1, 4);
                    question = 0;
                }
                asked[index_of(payload.direction)] =
                    message.is_request() ? message.type : std::uint8_t{0};
                if (message.is_request() || message.is_reply()) {
                    evidence.set_initiator(message.is_request() ? payload.direction
                                                                : opposite(payload.direction));
                }
                return Reading::fits;
            });
    }

  private:
    static constexpr std::uint8_t kError = 30;
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::kerberos
