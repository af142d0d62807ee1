// Kerberos 5 over TCP: each message stands behind its length (RFC 4120 §7.2.2).
//
//  0 length 4, high bit zero | 4 the message, see fingerprint/kerberos_message.hpp
//
// Sources: RFC 4120 §5, §7.2.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/kerberos_message.hpp"
#include "fingerprint/stream_side.hpp"

namespace flowclass::fingerprint::kerberos_tcp {

inline constexpr Rule kLength{
    "kerberos.tcp_length",
    "the four octets in front say what the message says of its length; RFC 4120 §7.2.2"};
inline constexpr Rule kTag{
    "kerberos.tcp_message",
    "an application tag of Kerberos around a SEQUENCE of the same end; RFC 4120 §5.10"};
inline constexpr Rule kFields{"kerberos.tcp_fields",
                              "version 5 and the type that the tag has; RFC 4120 §5.4.1, §5.9.1"};
inline constexpr Rule kPort{"kerberos.tcp_port", "TCP port 88 or 464 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{88, 464};
inline constexpr std::array<const Rule*, 4> kRules{&kLength, &kTag, &kFields, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "kerberos",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Kerberos 5 over TCP",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 4120 §5, §7.2.2"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({0x00}), .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        for (const StreamSide& side : both_sides(head)) {
            const ByteReader reader = side.at(0);
            // A side that does not fit may have lost its first segments: it adds nothing.
            if (reader.remaining() >= 6) {
                read(evidence, side);
            }
        }
        if (head.has_port(88) || head.has_port(464)) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static void read(Evidence& evidence, const StreamSide& side) noexcept {
        const std::uint32_t length = side.at(0).be32();
        if (length < 16 || length > (1U << 24U)) {
            return;
        }
        const KerberosMessage message = read_kerberos(side.at(4).rest(), length);
        if (message.reading != Reading::fits || message.length != length) {
            return;
        }
        // An octet of zero or two, and the rest equal to what is said again: 16 of 32.
        side.add(evidence, kLength, 0, 4, 16);
        side.add(evidence, kTag, 4, message.fields, kKerberosTagBits);
        side.add(evidence,
                 kFields,
                 4 + message.fields,
                 message.fields_end - message.fields,
                 kKerberosFieldBits);
        if (message.is_request() || message.is_reply()) {
            evidence.set_initiator(message.is_request() ? side.direction()
                                                        : opposite(side.direction()));
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::kerberos_tcp
