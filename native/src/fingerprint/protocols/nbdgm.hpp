// NetBIOS datagrams (RFC 1002 §4.4), mostly SMB mailslots: browser announcements, logon.
//
// 0 kind 10..16 | 1 flags | 2 id 2 | 4 source address 4 | 8 source port 2 | 10 length of what
// follows 14 2 | 12 offset 2 14 20, then 32 octets A..P, the source name, scope, 0 | the same for
// the destination | data 13 error: 10 code | 14..16 query: 10 name
//
// Sources: RFC 1002.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::nbdgm {

inline constexpr Rule kHeader{"nbdgm.header",
                              "a known kind, the upper flags zero; RFC 1002 §4.4.1"};
inline constexpr Rule kPort138{"nbdgm.source_port",
                               "the port of the sender is 138; RFC 1002 §4.4.1"};
inline constexpr Rule kLength{
    "nbdgm.length", "the length of the names and the data leads to the end; RFC 1002 §4.4.2"};
inline constexpr Rule kName{
    "nbdgm.name", "the source name is 32 octets from A to P; RFC 1002 §4.4.2, RFC 1001 §14.1"};
inline constexpr Rule kPort{"nbdgm.port", "UDP port 138 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{138};
inline constexpr std::array<const Rule*, 5> kRules{&kHeader, &kPort138, &kLength, &kName, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "nbdgm",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "NetBIOS datagram service",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "RFC 1002"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::range(0x10, 0x16), .least_length = 14};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const std::uint8_t kind = reader.u8();
                const std::uint8_t flags = reader.u8();
                reader.skip(6);
                const std::uint16_t port = reader.be16();
                const std::uint16_t length = reader.be16();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const bool datagram = kind <= 0x12;
                if (kind < 0x10 || kind > 0x16 || (flags & 0xf0U) != 0) {
                    return Reading::contradicts;
                }
                // A query of a distribution server and its answers have a name where datagrams have
                // a length.
                const std::size_t name_at = datagram ? 14 : 10;
                const Bytes name = at(payload.bytes, name_at).bytes(33);
                const bool named =
                    name.size() == 33 && name[0] == 32 &&
                    std::all_of(name.begin() + 1, name.end(), [](std::uint8_t octet) {
                        return octet >= 'A' && octet <= 'P';
                    });
                if ((datagram && length + std::uint32_t{14} != payload.length) ||
                    (kind != 0x13 && name.size() == 33 && !named)) {
                    return Reading::contradicts;
                }
                if (first) {
                    // Kind 5, upper flags 4.
                    evidence.add(kHeader, head, payload.entry, 0, 2, 9);
                    if (port == 138) {
                        evidence.add(kPort138, head, payload.entry, 8, 2, 14);
                    }
                    if (datagram) {
                        evidence.add(kLength, head, payload.entry, 10, 2, 16);
                    }
                    if (named) {
                        // As in the name service: the length 8, letters one each.
                        evidence.add(kName, head, payload.entry, name_at, 33, 40);
                    }
                }
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::nbdgm
