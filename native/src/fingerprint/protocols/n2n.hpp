// n2n (UDP, supernode usually on port 7654). All integers big-endian.
//
// version 3 (community 20 octets) and 2 (16):
//  0         1     2                       4            24 or 20
// | version | ttl | 0x80 0x40 0x20 | type | community  | by type
//   flags 0x40: an address is given, 0x20: from a supernode; ttl 2 and less; type 1 to 11 (2: to 8)
//   register to a supernode (5) and its answer (7): cookie be32, MAC of the edge, ...
//   5 goes on: 3: network be32, bits, description 16; then scheme be16, token length be16, token,
//   in 3 a time be32
//   register (1), answer (4): cookie be32, MAC, MAC
//   packet (3): MAC of the source, MAC, [address], 3: compression and cipher; 2: cipher be16
//   an address is 8 octets, or 20 where its first bit is set
// version 1:
//  0    1      2     3                4           20     26     32           52
// | 01 | type | ttl | by a supernode | community | MAC  | MAC  | address 20 | address 20 | ... to
// 87
//   the community ends in a zero, what is behind that is left over; an address begins with a family
//
// A community's name is printable and filled up with zeros. Under header encryption nothing shows.
// Sources: n2n src/wire.c, include/n2n_define.h (3), n2n_wire.h (2); bytes of n2n 1.3.2.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/reading.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::n2n {

inline constexpr Rule kHeader{"n2n.header",
                              "version, time to live up to 2, known flags and type; n2n wire.c, "
                              "n2n_define.h"};
inline constexpr Rule kCommunity{"n2n.community",
                                 "the community is a printable name, filled up with zeros (version "
                                 "1: ended by one); n2n wire.c"};
inline constexpr Rule kMac{"n2n.mac",
                           "an edge's MAC address: not zero and of one station; n2n wire.c"};
inline constexpr Rule kBody{"n2n.body",
                            "a packet's compression and cipher are known ones, or a registration's "
                            "token ends the message; n2n wire.c"};
inline constexpr Rule kAddresses{"n2n.addresses",
                                 "two addresses that begin with a family; bytes of n2n 1.3.2"};
inline constexpr Rule kSame{"n2n.same_community", "the community of the packet before; n2n wire.c"};
inline constexpr Rule kCookie{"n2n.cookie",
                              "the answer has the registration's cookie; n2n wire.c, n2n_wire.h"};
inline constexpr Rule kPort{"n2n.port", "port 7654 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{7654};
inline constexpr std::array<std::string_view, 3> kVariants{"v1", "v2", "v3"};
inline constexpr std::array<const Rule*, 8> kRules{
    &kHeader, &kCommunity, &kMac, &kBody, &kAddresses, &kSame, &kCookie, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "n2n",
        .protocol_class = ProtocolClass::vpn,
        .title = "n2n",
        .ports = kPorts,
        .variants = kVariants,
        .rules = kRules,
        .sources = "n2n src/wire.c, include/n2n_define.h, n2n_wire.h"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::range(1, 3), .least_length = 24};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        Header first;
        std::array<Header, 2> last{};
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            if (payload.length == 0) {
                continue;
            }
            Header now;
            const Reading reading = read(payload, now);
            if (reading == Reading::contradicts ||
                (first.version != 0 && reading == Reading::fits && !is_same(first, now))) {
                return {};  // one edge has one community and one version
            }
            if (reading == Reading::cut) {
                continue;
            }
            add_checks(evidence, head, payload, now, first, last);
            last[index_of(payload.direction)] = now;
            first = first.version == 0 ? now : first;
        }
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        evidence.set_variant(first.version == 0 ? std::string_view{}
                                                : kVariants[first.version - 1U]);
        return evidence;
    }

  private:
    struct Header {
        std::uint8_t version = 0;
        std::uint8_t type = 0;
        Bytes community;  // with what fills it up; version 1: up to its end
        std::size_t name = 0;
        std::size_t mac_at = 0;  // 0: none
        std::uint32_t cookie = 0;
        std::size_t body_at = 0;  // two octets that were checked; 0: none
    };
    static constexpr std::uint8_t kRegister = 1;
    static constexpr std::uint8_t kPacket = 3;
    static constexpr std::uint8_t kRegisterAck = 4;
    static constexpr std::uint8_t kRegisterSuper = 5;
    static constexpr std::uint8_t kRegisterSuperAck = 7;
    static constexpr std::size_t kMacLength = 6;

    static Reading read(const Payload& payload, Header& out) noexcept {
        ByteReader reader(payload.bytes);
        out.version = reader.u8();
        const std::uint8_t second = reader.u8();
        const std::uint8_t third = reader.u8();
        const std::uint8_t fourth = reader.u8();
        const std::size_t size = out.version == 3 ? 20 : 16;
        out.community = reader.bytes(size);
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if (out.version == 1) {
            out.type = second;
            return third <= 3 && fourth <= 1 && out.type >= 1 && out.type <= 8
                       ? read_first_version(payload, out)
                       : Reading::contradicts;
        }
        out.type = fourth & 0x1fU;
        const std::uint8_t most = out.version == 3 ? 11 : 8;
        out.name = name_length(out.community);
        const bool filled = std::ranges::all_of(out.community.subspan(out.name),
                                                [](std::uint8_t octet) { return octet == 0; });
        if (out.version < 2 || out.version > 3 || second > 2 || third != 0 || out.type < 1 ||
            out.type > most || out.name == 0 || out.name >= size || !filled) {
            return Reading::contradicts;
        }
        return read_body(payload, 4 + size, out);
    }

    static std::size_t name_length(Bytes community) noexcept {
        const auto end = std::ranges::find_if_not(community, is_printable);
        return static_cast<std::size_t>(end - community.begin());
    }

    static Reading read_body(const Payload& payload, std::size_t offset, Header& out) noexcept {
        const bool has_cookie = out.type == kRegister || out.type == kRegisterAck ||
                                out.type == kRegisterSuper || out.type == kRegisterSuperAck;
        ByteReader reader = at(payload.bytes, offset);
        out.cookie = has_cookie ? reader.be32() : 0;
        out.mac_at = has_cookie ? offset + 4 : out.type == kPacket ? offset : 0;
        const Bytes mac = out.mac_at > 0 ? reader.bytes(kMacLength) : Bytes{};
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if (out.mac_at > 0 && !is_station(mac)) {
            return Reading::contradicts;
        }
        const bool has_address = (payload.bytes[3] & 0x40U) != 0;
        return out.type == kPacket          ? read_packet(payload, has_address, out)
               : out.type == kRegisterSuper ? read_register(payload, has_address, out)
                                            : Reading::fits;
    }

    static std::size_t address_length(Bytes bytes, std::size_t offset) noexcept {
        return (at(bytes, offset).u8() & 0x80U) != 0 ? 20 : 8;
    }

    static Reading read_packet(const Payload& payload, bool has_address, Header& out) noexcept {
        constexpr std::uint8_t kMostCompression = 3;  // none, LZO, Zstandard
        constexpr std::uint8_t kMostCipher = 5;       // none, Twofish, AES, ChaCha20, Speck
        const std::size_t address = out.mac_at + 2 * kMacLength;
        const std::size_t offset =
            address + (has_address ? address_length(payload.bytes, address) : 0);
        ByteReader reader = at(payload.bytes, offset);
        const std::uint8_t compression = reader.u8();
        const std::uint8_t cipher = reader.u8();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        out.body_at = offset;
        const bool compressed = compression >= 1 && compression <= kMostCompression;
        return (out.version == 3 ? compressed : compression == 0) && cipher >= 1 &&
                       cipher <= kMostCipher
                   ? Reading::fits
                   : Reading::contradicts;
    }

    static Reading read_register(const Payload& payload, bool has_address, Header& out) noexcept {
        constexpr std::size_t kNetworkAndDescription = 21;
        const std::size_t address = out.mac_at + kMacLength;
        const std::size_t network =
            address + (has_address ? address_length(payload.bytes, address) : 0);
        const std::size_t scheme = network + (out.version == 3 ? kNetworkAndDescription : 0);
        ByteReader reader = at(payload.bytes, scheme + 2);
        const std::size_t token = reader.be16();
        if (!reader.ok()) {
            return payload.bytes.size() < payload.length ? Reading::fits : Reading::contradicts;
        }
        const std::size_t end = scheme + 4 + token;
        if (end != payload.length && end + 4 != payload.length) {
            return Reading::contradicts;
        }
        out.body_at = scheme + 2;
        return Reading::fits;
    }

    // A header of 87 octets whatever the type, and one MAC that is an edge's.
    static Reading read_first_version(const Payload& payload, Header& out) noexcept {
        constexpr std::uint32_t kLeastLength = 87;
        constexpr std::size_t kFamilies = 32;
        constexpr std::size_t kAddressLength = 20;
        out.name = name_length(out.community);
        const Bytes mac = at(payload.bytes, 20).bytes(kMacLength);
        const std::uint8_t one = at(payload.bytes, kFamilies).u8();
        const ByteReader rest = at(payload.bytes, kFamilies + kAddressLength + 1);
        const std::uint8_t two = at(payload.bytes, kFamilies + kAddressLength).u8();
        if (!rest.ok()) {
            return ran_out(payload);
        }
        if (payload.length < kLeastLength || out.name == 0 || out.name >= out.community.size() ||
            out.community[out.name] != 0 || !is_family(one) || !is_family(two)) {
            return Reading::contradicts;
        }
        out.community = out.community.first(out.name + 1);
        // A supernode's answer has no edge's address in the first place.
        out.mac_at = is_station(mac) ? 20 : 0;
        return Reading::fits;
    }

    // AF_INET, or AF_INET6 as Linux, BSD or Windows number it.
    static bool is_family(std::uint8_t family) noexcept {
        return family == 2 || family == 10 || family == 23 || family == 28 || family == 30;
    }

    static bool is_station(Bytes mac) noexcept {
        return mac.size() == kMacLength && (mac[0] & 1U) == 0 &&
               std::any_of(mac.begin(), mac.end(), [](std::uint8_t octet) { return octet != 0; });
    }

    static bool is_same(const Header& left, const Header& right) noexcept {
        return left.version == right.version && std::equal(left.community.begin(),
                                                           left.community.end(),
                                                           right.community.begin(),
                                                           right.community.end());
    }

    static void add_checks(Evidence& evidence,
                           const FlowHead& head,
                           const Payload& payload,
                           const Header& now,
                           const Header& first,
                           const std::array<Header, 2>& last) noexcept {
        const Header& before = last[index_of(payload.direction)];
        const Header& other = last[index_of(opposite(payload.direction))];
        const std::size_t size = now.community.size();
        if (first.version == 0) {
            // Small numbers: version 5, time to live or type 4, flags and type 7.
            evidence.add(kHeader, head, payload.entry, 0, 4, 16);
            // More than a hundred bits in random octets; but names that are filled up are common.
            evidence.add(kCommunity, head, payload.entry, 4, size, 14);
            if (now.mac_at > 0) {
                evidence.add(kMac, head, payload.entry, now.mac_at, 1, 1);
            }
            if (now.body_at > 0) {
                // 15 of 65536 and less, or a length that fits; both are small numbers.
                evidence.add(kBody, head, payload.entry, now.body_at, 2, 10);
            }
            if (now.version == 1) {
                // Five of 256, twice, at a little less than their worth.
                evidence.add(kAddresses, head, payload.entry, 32, 1, 4);
                evidence.add(kAddresses, head, payload.entry, 52, 1, 4);
            }
        } else if (before.version == 0) {
            evidence.add(kSame, head, payload.entry, 4, size, 12);
        }
        const bool answers = (now.type == kRegisterSuperAck && other.type == kRegisterSuper) ||
                             (now.type == kRegisterAck && other.type == kRegister);
        if (answers && now.cookie != 0 && now.cookie == other.cookie) {
            evidence.add(kCookie, head, payload.entry, now.mac_at - 4, 4, 32);
            evidence.set_initiator(opposite(payload.direction));
        }
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::n2n
