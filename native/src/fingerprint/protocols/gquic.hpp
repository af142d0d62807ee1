// Google's QUIC before the long header (Q043 and older): QUIC Wire Layout Specification (Google,
// 2016), public packet header; QUIC Crypto (Google, 2016), client hello.
//
//  0       1                9            13
// | flags | connection id  | "Q0dd"     | packet number | 12 octets hash | frames: ... "CHLO"
//   01 version, 02 reset, 08 an id of 8 octets, 30 length of the packet number, 04 a nonce
// Only a client's packets before the version is agreed carry it. Answers may repeat the id, or
// leave it out.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint::gquic {

inline constexpr Rule kHeader{
    "gquic.header",
    "public flags with version and 8-octet id, version Q0 and two digits; "
    "QUIC Wire Layout Specification (Google, 2016)"};
inline constexpr Rule kClientHello{"gquic.chlo",
                                   "the tag CHLO in the first stream frame; QUIC Crypto (Google, "
                                   "2016)"};
inline constexpr Rule kIdEcho{"gquic.id_echo",
                              "the 8-octet connection id again, in either direction; QUIC Wire "
                              "Layout Specification (Google, 2016)"};

inline constexpr std::array<std::uint16_t, 2> kPorts{443, 80};
inline constexpr std::array<std::string_view, 1> kVariants{"gquic"};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kClientHello, &kIdEcho};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "quic",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "QUIC, Google's own",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "QUIC Wire Layout Specification (Google, 2016)"};
    // Version and an id of 8 octets, any packet number length; 04 was set with 08 at first.
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::of({0x09, 0x0d, 0x19, 0x1d, 0x29, 0x2d, 0x39, 0x3d}),
        .least_length = 14};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        Bytes id;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            ByteReader reader(payload.bytes);
            const std::uint8_t flags = reader.u8();
            const Bytes found = reader.bytes(8);
            if (!reader.ok() || (flags & 0xc8U) != 0x08) {
                continue;  // an answer without the id
            }
            if (!id.empty()) {
                if (std::equal(id.begin(), id.end(), found.begin())) {
                    evidence.add(kIdEcho, head, entry, 1, 8, 64);
                }
            } else if ((flags & 0x03U) == 0x01 && is_version(reader.be32())) {
                // Five flags are fixed; two letters, two digits.
                evidence.add(kHeader, head, entry, 0, 1, 5);
                evidence.add(kHeader, head, entry, 9, 4, 24);
                add_hello(evidence, head, payload);
                evidence.set_variant("gquic");
                evidence.set_initiator(payload.direction);
                id = found;
            }
        }
        return evidence;
    }

  private:
    static bool is_version(std::uint32_t version) noexcept {
        const std::uint32_t tens = version >> 8U & 0xffU;
        const std::uint32_t ones = version & 0xffU;
        return version >> 16U == 0x5130 && tens >= '0' && tens <= '9' && ones >= '0' && ones <= '9';
    }

    static void add_hello(Evidence& evidence,
                          const FlowHead& head,
                          const Payload& payload) noexcept {
        for (std::size_t offset = 24; offset < 60; ++offset) {
            if (at(payload.bytes, offset).be32() == 0x43484c4f) {
                // At one of 36 places.
                evidence.add(kClientHello, head, payload.entry, offset, 4, 26);
                return;
            }
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::gquic
