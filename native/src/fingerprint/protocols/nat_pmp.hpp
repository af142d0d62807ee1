// NAT-PMP (RFC 6886) and its successor PCP (RFC 6887): a host asks its router for ports.
//
// NAT-PMP: version 0 | operation 0..2, 80 more in answers | answers: result 2, seconds 4 |
// operation 0: address 4;
//          1, 2: request: reserved 2, ports 2, 2, lifetime 4; answer: ports 2, 2, lifetime 4
// PCP:     version 2 | operation 0..3, top bit in answers | reserved 2 | lifetime 4 | client
// address 16, or seconds 4 and zeros 12 |
//          nonce 12 | protocol 1 | zeros 3 | ports 2, 2 | address 16 | options
//
// Sources: RFC 6886, RFC 6887.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::nat_pmp {

inline constexpr Rule kRequest{
    "nat-pmp.request", "version 0, a known operation, its exact length; RFC 6886 §3.2, §3.3"};
inline constexpr Rule kAnswer{
    "nat-pmp.answer",
    "the operation of an answer, a known result, its exact length; RFC 6886 §3.2, §3.3"};
inline constexpr Rule kPcp{
    "nat-pmp.pcp_header",
    "version 2, a known operation, reserved zeros, a length in words; RFC 6887 §7.1, §7.2"};
inline constexpr Rule kAddress{
    "nat-pmp.pcp_address",
    "an IPv4 address in IPv6 form, or the zeros of an answer; RFC 6887 §5, §7.2"};
inline constexpr Rule kNonce{"nat-pmp.pcp_nonce",
                             "the answer has the nonce of the request; RFC 6887 §11.1"};
inline constexpr Rule kPort{"nat-pmp.port", "UDP port 5351 or 5350 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{5351, 5350};
inline constexpr std::array<std::string_view, 2> kVariants{"nat-pmp", "pcp"};
inline constexpr std::array<const Rule*, 6> kRules{
    &kRequest, &kAnswer, &kPcp, &kAddress, &kNonce, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "nat-pmp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "NAT-PMP and PCP",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RFC 6886, RFC 6887"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::of({0, 2}),
                                         .least_length = 2,
                                         .most_length = 1100};

    static Evidence match(const FlowHead& head) noexcept {
        if (!head.has_port(5351) && !head.has_port(5350)) {
            return {};  // too few fixed bits for any port
        }
        LastSaid<std::uint64_t> nonces;
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                const std::uint8_t version = at(payload.bytes, 0).u8();
                if (payload.bytes.size() < std::min<std::uint32_t>(payload.length, 32) ||
                    payload.bytes.size() < 2) {
                    return Reading::cut;
                }
                return version == 0   ? add_first(evidence, head, payload, first)
                       : version == 2 ? add_pcp(evidence, head, payload, first, nonces)
                                      : Reading::contradicts;
            });
    }

  private:
    static Reading add_first(Evidence& evidence,
                             const FlowHead& head,
                             const Payload& payload,
                             bool first) noexcept {
        const std::uint8_t operation = payload.bytes[1];
        const bool answer = (operation & 0x80U) != 0;
        const std::uint8_t kind = operation & 0x7fU;
        const std::uint32_t length = answer ? (kind == 0 ? 12U : 16U) : (kind == 0 ? 2U : 12U);
        const std::uint16_t reserved = at(payload.bytes, 2).be16();
        // An error may come in the short form of 8 octets.
        const bool error = answer && payload.length == 8 && reserved != 0;
        if (kind > 2 || (payload.length != length && !error) ||
            (answer ? reserved > 5 : kind != 0 && reserved != 0)) {
            return Reading::contradicts;
        }
        if (first) {
            // A zero 4, one of six operations 5, the length 6, two more zeros 6 to 10.
            const std::size_t checked = payload.length == 2 ? 2 : 4;
            evidence.add(answer ? kAnswer : kRequest,
                         head,
                         payload.entry,
                         0,
                         checked,
                         answer         ? 22
                         : checked == 4 ? 20
                                        : 13);
        }
        evidence.set_initiator(answer ? opposite(payload.direction) : payload.direction);
        evidence.set_variant("nat-pmp");
        return Reading::fits;
    }

    static Reading add_pcp(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload,
                           bool first,
                           LastSaid<std::uint64_t>& nonces) noexcept {
        ByteReader reader = at(payload.bytes, 1);
        const std::uint8_t operation = reader.u8();
        const std::uint16_t reserved = reader.be16();  // answers: zero, result
        reader.skip(4);
        const std::uint64_t front = reader.be64();
        const std::uint64_t back = reader.be64();
        const bool answer = (operation & 0x80U) != 0;
        const bool mapped = front == 0 && back >> 32U == 0xffff;
        const bool zeros = (front & UINT32_MAX) == 0 && back == 0;
        if (!reader.ok() || (operation & 0x7fU) > 3 || (answer ? reserved > 13 : reserved != 0) ||
            payload.length % 4 != 0 || (answer && !zeros)) {
            return Reading::contradicts;
        }
        if (first) {
            evidence.add(kPcp, head, payload.entry, 0, 4, 20);
            if (answer || mapped) {
                evidence.add(kAddress, head, payload.entry, answer ? 12 : 8, 12, 20);
            }
        }
        const std::uint64_t nonce = at(payload.bytes, 24).be64();
        if (payload.length >= 36 && answer && nonce != 0 && nonces.answers(payload, nonce)) {
            evidence.add(kNonce, head, payload.entry, 24, 8, 60);
        }
        nonces.say(payload, nonce);
        evidence.set_initiator(answer ? opposite(payload.direction) : payload.direction);
        evidence.set_variant("pcp");
        return Reading::fits;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::nat_pmp
