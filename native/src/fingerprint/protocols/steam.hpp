// Steam's own datagrams.
//
// cm         "VS01" 4 | length 2 | kind 1..7 | flags | connections 4, 4 | numbers 4, 4 | packets 4
// | first 4 | size 4 | data discovery  ff ff ff ff 21 4c 5f a0 | header length 4 | header | body
// length 4 | body (all little-endian) relay      01 | 1 | "sdping" ...
//
// Sources: SteamKit source, public captures of Steam clients.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::steam {

inline constexpr Rule kMagic{"steam.cm_magic", "the words VS01; SteamKit, UdpPacket and UdpHeader"};
inline constexpr Rule kLength{
    "steam.cm_length",
    "36 octets of header and the length of the data behind it; SteamKit, UdpHeader"};
inline constexpr Rule kKind{"steam.cm_kind", "a kind from 1 to 7; SteamKit, EUdpPacketType"};
inline constexpr Rule kDiscovery{
    "steam.discovery_magic",
    "ff ff ff ff 21 4c 5f a0; in-home streaming discovery in public captures"};
inline constexpr Rule kHeader{
    "steam.discovery_lengths",
    "the header length lies inside, and its end tells how long the rest is; as above"};
inline constexpr Rule kRelay{"steam.relay_ping",
                             "01 and the word sdping of a ping to a relay; in public captures"};
inline constexpr Rule kPort{"steam.port", "UDP port 27015 to 27019 or 27036 on either side"};

inline constexpr std::array<std::uint16_t, 6> kPorts{27015, 27016, 27017, 27018, 27019, 27036};
inline constexpr std::array<std::string_view, 3> kVariants{"cm", "discovery", "relay"};
inline constexpr std::array<const Rule*, 7> kRules{
    &kMagic, &kLength, &kKind, &kDiscovery, &kHeader, &kRelay, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "steam",
        .protocol_class = ProtocolClass::app,
        .title = "Steam",
        .ports = kPorts,
        .variants = kVariants,
        .rules = kRules,
        .sources = "SteamKit source, public captures of Steam clients"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({'V', 0xff, 0x01}), .least_length = 24};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                if (payload.bytes.size() < 16) {
                    return ran_out(payload);
                }
                if (has_text(payload.bytes, "VS01")) {
                    return add_cm(evidence, head, payload, first);
                }
                if (at(payload.bytes, 0).be64() == 0xffffffff214c5fa0) {
                    return add_discovery(evidence, head, payload, first);
                }
                if (payload.bytes[0] == 1 && has_text(payload.bytes, "sdping", 2)) {
                    evidence.add(kRelay, head, payload.entry, 0, 1, first ? 6 : 1);
                    evidence.add(
                        kRelay, head, payload.entry, 2, 6, first ? word_bits("sdping") : 2);
                    evidence.set_variant("relay");
                    return Reading::fits;
                }
                return Reading::contradicts;
            });
    }

  private:
    static Reading add_cm(Evidence& evidence,
                          const FlowHead& head,
                          const Payload& payload,
                          bool first) noexcept {
        constexpr std::uint32_t kHeader36 = 36;
        ByteReader reader = at(payload.bytes, 4);
        const std::uint16_t length = reader.le16();
        const std::uint8_t kind = reader.u8();
        if (kind == 0 || kind > 7 || payload.length != kHeader36 + length) {
            return Reading::contradicts;
        }
        evidence.add(kMagic, head, payload.entry, 0, 4, first ? 24 : 2);
        evidence.add(kLength, head, payload.entry, 4, 2, first ? 16 : 2);
        evidence.add(kKind, head, payload.entry, 6, 1, first ? 5 : 1);
        if (kind <= 4) {
            // Challenge, connection: odd kinds ask.
            evidence.set_initiator(kind % 2 == 1 ? payload.direction : opposite(payload.direction));
        }
        evidence.set_variant("cm");
        return Reading::fits;
    }

    static Reading add_discovery(Evidence& evidence,
                                 const FlowHead& head,
                                 const Payload& payload,
                                 bool first) noexcept {
        const std::uint32_t header = at(payload.bytes, 8).le32();
        if (header > payload.length || header + std::uint64_t{16} > payload.length) {
            return Reading::contradicts;
        }
        ByteReader reader = at(payload.bytes, std::size_t{12} + header);
        const std::uint32_t body = reader.le32();
        if (reader.ok() && header + body + std::uint64_t{16} != payload.length) {
            return Reading::contradicts;
        }
        if (first) {
            evidence.add(kDiscovery, head, payload.entry, 0, 8, 44);
            if (reader.ok()) {
                evidence.add(kHeader, head, payload.entry, std::size_t{12} + header, 4, 16);
            }
        }
        evidence.set_variant("discovery");
        return Reading::fits;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::steam
