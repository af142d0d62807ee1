// ZeroTier (UDP, usually port 9993). All integers big-endian.
//
//  0          8             13       18                     19   27                       28
// | packet id | destination | source | flags, cipher, hops  | MAC | compressed, flags, verb | ...
//   destination and source are addresses of 40 bits; octet 18: flags 2 bits, cipher 3, hops 3
//
// HELLO (verb 1) goes in clear, with cipher 0:
//  28        29     30     32        33               41       46      47
// | version | major| minor | revision | time be64, ms | address | type 0 | public key, 64
//   the address is the sender's again
// A fragment has ff, then counts, where the source would stand: 16 octets and more.
//
// The packet id is random and the rest is sealed, so that mid-flow only the two addresses tell,
// which the other side sends the other way round; from one side only, nothing does.
// Sources: ZeroTierOne node/Packet.hpp, node/Address.hpp, node/Identity.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/reading.hpp"
#include "fingerprint/sealed.hpp"

namespace flowclass::fingerprint::zerotier {

inline constexpr Rule kHello{
    "zerotier.hello",
    "cipher 0, verb HELLO and a protocol version from 4 to 20; ZeroTierOne "
    "Packet.hpp"};
inline constexpr Rule kIdentity{
    "zerotier.identity",
    "the identity's address is the packet's source; ZeroTierOne Packet.hpp, Identity.hpp"};
inline constexpr Rule kTime{"zerotier.time",
                            "the time in milliseconds is within a day of the capture's; "
                            "ZeroTierOne Packet.hpp"};
inline constexpr Rule kSwapped{
    "zerotier.addresses",
    "destination and source are the other side's source and destination; ZeroTierOne Packet.hpp"};
inline constexpr Rule kAgain{
    "zerotier.addresses_again",
    "the addresses of a packet before, behind another packet id; ZeroTierOne Packet.hpp"};
inline constexpr Rule kPort{"zerotier.port", "port 9993 on either side"};

inline constexpr std::array<std::uint16_t, 1> kPorts{9993};
inline constexpr std::array<const Rule*, 6> kRules{
    &kHello, &kIdentity, &kTime, &kSwapped, &kAgain, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "zerotier",
        .protocol_class = ProtocolClass::vpn,
        .title = "ZeroTier",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "ZeroTierOne node/Packet.hpp, node/Address.hpp, node/Identity.hpp"};
    // The first octets are random.
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::all(),
                                         .least_length = 28,
                                         .most_length = 1500};

    static Evidence match(const FlowHead& head) noexcept {
        const Opening opening = open(head);
        if (!opening.hello && !opening.swapped) {
            return {};
        }
        Evidence evidence;
        Tally tally;
        std::array<Packet, 2> first{};
        std::size_t again = 0;
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            Packet now;
            const Reading reading = read(payload, now);
            tally.add(reading);
            if (reading != Reading::fits || now.fragment) {
                continue;
            }
            Packet& before = first[index_of(payload.direction)];
            const Packet& other = first[index_of(opposite(payload.direction))];
            if (!before.there) {
                add_hello(evidence, head, payload);
                if (other.there && now.destination == other.source &&
                    now.source == other.destination) {
                    // 80 bits, less what addresses of other kinds may do.
                    evidence.add(kSwapped, head, entry, 8, 10, 56);
                }
                before = now;
            } else if (now.destination == before.destination && now.source == before.source &&
                       now.id != before.id && again < kMostAgain) {
                ++again;
                evidence.add(kAgain, head, entry, 8, 10, 4);
            }
        }
        if (!tally.holds() || evidence.bits() < kLeastBits) {
            return {};
        }
        if (head.has_port(kPorts[0])) {
            add_port(evidence, kPort, head);
        }
        return evidence;
    }

  private:
    static constexpr std::size_t kMostAgain = 4;
    static constexpr float kLeastBits = 40;

    struct Packet {
        std::uint64_t id = 0;
        std::uint64_t destination = 0;
        std::uint64_t source = 0;
        bool fragment = false;
        bool there = false;
    };
    struct Opening {
        bool hello = false;
        bool swapped = false;
    };

    static std::uint64_t address(ByteReader& reader) noexcept {
        const std::uint64_t high = reader.u8();
        return high << 32U | reader.be32();
    }

    // What is asked of every UDP flow: does a HELLO begin it, or do two addresses change places?
    static Opening open(const FlowHead& head) noexcept {
        Opening opening;
        std::array<std::uint64_t, 4> said{};
        for (const Direction direction : {Direction::forward, Direction::reverse}) {
            const std::size_t entry = head.next(direction);
            if (entry == kMaxEntries) {
                continue;
            }
            const Bytes bytes = head.payload(entry).bytes;
            ByteReader reader = at(bytes, 8);
            said[index_of(direction)] = address(reader);
            said[3 - index_of(direction)] = address(reader);
            opening.hello = opening.hello || is_hello(bytes);
        }
        opening.swapped = said[0] != 0 && said[2] != 0 && said[0] == said[2] && said[1] == said[3];
        return opening;
    }

    static bool is_hello(Bytes bytes) noexcept {
        if (at(bytes, 27).u8() != 1) {
            return false;
        }
        ByteReader reader = at(bytes, 13);
        const std::uint64_t source = address(reader);
        const std::uint8_t flags = reader.u8();
        reader.skip(8);
        const std::uint8_t verb = reader.u8();
        const std::uint8_t version = reader.u8();
        const std::uint8_t major = reader.u8();
        reader.skip(3 + 8);
        const std::uint64_t identity = address(reader);
        const std::uint8_t type = reader.u8();
        constexpr std::uint8_t kLeastVersion = 4;
        constexpr std::uint8_t kMostVersion = 20;
        // Cipher 0, and no flag but that of a fragmented packet.
        return reader.ok() && source == identity && source != 0 && (flags & 0xb8U) == 0 &&
               verb == 1 && version >= kLeastVersion && version <= kMostVersion && major <= 2 &&
               type == 0 && !is_plain(part(bytes, 47, 64));
    }

    static Reading read(const Payload& payload, Packet& out) noexcept {
        constexpr std::uint32_t kFragmentLength = 16;
        constexpr std::uint32_t kPacketLength = 28;
        constexpr std::uint32_t kKeepAlive = 8;
        if (payload.length <= kKeepAlive) {
            return Reading::cut;  // holes are kept open with a few octets
        }
        ByteReader reader(payload.bytes);
        out.id = reader.be64();
        out.destination = address(reader);
        out.source = address(reader);
        const std::uint8_t flags = reader.u8();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        const std::uint8_t counts = at(payload.bytes, 14).u8();
        out.fragment = out.source >> 32U == 0xff && counts >> 4U >= 2 && (counts & 0x0fU) > 0 &&
                       (counts & 0x0fU) < counts >> 4U;
        out.there = true;
        if (!is_address(out.destination)) {
            return Reading::contradicts;
        }
        if (out.fragment) {
            return payload.length >= kFragmentLength ? Reading::fits : Reading::contradicts;
        }
        // Four ciphers; a packet is to another than who sends it.
        const bool known_cipher = (flags >> 3U & 7U) <= 3;
        const bool fits = is_address(out.source) && out.source != out.destination && known_cipher &&
                          payload.length >= kPacketLength;
        return fits && !is_plain(part(payload.bytes, 0, 8)) &&
                       !is_plain(part(payload.bytes, 19, 27))
                   ? Reading::fits
                   : Reading::contradicts;
    }

    // Not zero, not reserved, and not a small number or a filling: addresses come from a hash.
    static bool is_address(std::uint64_t value) noexcept {
        std::array<std::uint8_t, 5> octets{};
        for (std::size_t index = 0; index < octets.size(); ++index) {
            octets[index] = static_cast<std::uint8_t>(value >> (8 * index));
        }
        std::ranges::sort(octets);
        const auto different = std::unique(octets.begin(), octets.end()) - octets.begin();
        return different >= 3 && value >> 32U != 0xff && value >> 24U != 0;
    }

    static void add_hello(Evidence& evidence,
                          const FlowHead& head,
                          const Payload& payload) noexcept {
        if (!is_hello(payload.bytes)) {
            return;
        }
        // The verb 8, 17 versions 3, cipher and flags 2; the address again, 40 bits less what
        // other repetitions may do.
        evidence.add(kHello, head, payload.entry, 27, 2, 11);
        evidence.add(kIdentity, head, payload.entry, 41, 5, 32);
        // A day is 2^26 of 2^64 milliseconds; but the first two octets are zero in most numbers.
        constexpr std::uint64_t kDay = 86'400'000;
        const std::uint64_t told = at(payload.bytes, 33).be64();
        const auto taken = static_cast<std::uint64_t>(payload.time / 1'000'000);
        const std::uint64_t off = told > taken ? told - taken : taken - told;
        if (off <= kDay) {
            evidence.add(kTime, head, payload.entry, 33, 4, 20);
        }
        evidence.set_initiator(payload.direction);
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::zerotier
