// OPC UA connection protocol (OPC 10000-6 §7.1), TCP, little-endian.
//
//  0 HEL, ACK, ERR, RHE, OPN, MSG, CLO | 3 F, C or A | 4 length 4, with itself | 8 ...
//  hello: version 4 | buffers 4, 4 | message 4 | chunks 4 | URL: length 4, "opc.tcp://"
//  open:  channel 4 | policy: length 4, "http://opcfoundation.org/UA/SecurityPolicy#"
//
// Sources: OPC 10000-6 (OPC UA part 6: Mappings) §6.7.2, §7.1.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::opcua {

inline constexpr Rule kHeader{
    "opcua.header",
    "one of seven kinds, a chunk mark and a length that fits; OPC 10000-6 §7.1.2.2"};
inline constexpr Rule kUrl{"opcua.url",
                           "the hello carries an address opc.tcp; OPC 10000-6 §7.1.2.3"};
inline constexpr Rule kPolicy{
    "opcua.policy", "the channel is opened under a security policy of UA; OPC 10000-6 §6.7.2.3"};

inline constexpr std::array<std::uint16_t, 1> kPorts{4840};
inline constexpr std::array<const Rule*, 3> kRules{&kHeader, &kUrl, &kPolicy};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "opcua",
        .protocol_class = ProtocolClass::app,
        .title = "OPC UA",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "OPC 10000-6 (OPC UA part 6: Mappings) §6.7.2, §7.1.2"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp},
        .first_bytes = ByteSet::of({'H', 'A', 'E', 'R', 'O', 'M', 'C'}),
        .least_length = 8};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        constexpr std::array<std::string_view, 7> kKinds{
            "HELF", "ACKF", "ERRF", "RHEF", "OPN", "MSG", "CLO"};
        std::size_t kind = 0;
        for (const std::string_view name : kKinds) {
            if (has_text(side.stream(), name)) {
                kind = name.size();
            }
        }
        ByteReader reader = side.at(3);
        const std::uint8_t chunk = reader.u8();
        const std::uint32_t length = reader.le32();
        if (!reader.ok()) {
            return true;
        }
        if (kind == 0 || (chunk != 'F' && chunk != 'C' && chunk != 'A') || length < 8 ||
            length > (1U << 24U)) {
            return !side.from_start();
        }
        // Four letters 22 less 3; two high octets and an end 16.
        side.add(evidence, kHeader, 0, 4, 19);
        if (side.is_end(length) || length < side.size()) {
            side.add(evidence, kHeader, 4, 4, 18);
        }
        if (has_text(side.stream(), "opc.tcp://", 32)) {
            side.add(evidence, kUrl, 32, 10, 53);
            evidence.set_initiator(side.direction());
        }
        constexpr std::string_view kUa = "http://opcfoundation.org/UA/";
        if (has_text(side.stream(), kUa, 16)) {
            side.add(evidence, kPolicy, 16, kUa.size(), 64);
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::opcua
