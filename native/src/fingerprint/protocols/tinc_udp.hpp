// tinc 1.1's data (UDP, the port of its TCP connection, usually 655). All integers big-endian.
//
//  0              6              12           16
// | destination  | source       | sequence   | sealed: type, octets; tag 16
//   both are the first 6 octets of a hash of a daemon's name; zeros for "you"
//
// A constant and a counter among zeros: that much is never more than `possible`. tinc 1.0's packets
// are encrypted from the first octet on: there is no rule for them.
// Sources: tinc net_packet.c, net.h, sptps.c; bytes of tinc 1.1pre18.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/reading.hpp"
#include "fingerprint/sealed.hpp"

namespace flowclass::fingerprint::tinc_udp {

inline constexpr Rule kData{"tinc.data",
                            "six zeros, an identity, a sequence number below 2^31, sealed behind "
                            "it; tinc net_packet.c"};
inline constexpr Rule kRun{"tinc.data_run",
                           "the identity of the direction's packet before, and a sequence number "
                           "at most 256 higher; tinc net_packet.c, sptps.c"};

inline constexpr std::array<std::uint16_t, 1> kPorts{655};
inline constexpr std::array<std::string_view, 1> kVariants{"1.1-udp"};
inline constexpr std::array<const Rule*, 2> kRules{&kData, &kRun};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "tinc",
                                      .protocol_class = ProtocolClass::vpn,
                                      .title = "tinc data",
                                      .ports = kPorts,
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "tinc net_packet.c, net.h, sptps.c",
                                      .follows = {LinkKind::tinc}};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp}, .first_bytes = ByteSet::of({0x00}), .least_length = 33};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        std::array<Packet, 2> last{};
        for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
            const Payload payload = head.payload(entry);
            Packet now;
            const Reading reading = payload.length == 0 ? Reading::cut : read(payload, now);
            if (reading == Reading::contradicts) {
                return {};
            }
            if (reading == Reading::cut) {
                continue;
            }
            Packet& before = last[index_of(payload.direction)];
            const Packet& other = last[index_of(opposite(payload.direction))];
            const std::uint32_t step = now.sequence - before.sequence;
            if ((other.there && other.source == now.source) ||
                (before.there &&
                 (before.source != now.source || step + kMostStep > 2 * kMostStep))) {
                return {};
            }
            // Zeros are cheap, and so is a constant with a counter behind it.
            if (!before.there && evidence.bits() + 8 <= kMostBits) {
                evidence.add(kData, head, entry, 0, 6, 8);
            } else if (before.there && step > 0 && step <= kMostStep &&
                       evidence.bits() + 4 <= kMostBits) {
                evidence.add(kRun, head, entry, 6, 8, 4);
            }
            before = now;
        }
        evidence.set_variant(kVariants[0]);
        return evidence;
    }

  private:
    static constexpr std::uint32_t kMostStep = 256;
    static constexpr float kMostBits = 31;  // `possible` at most

    struct Packet {
        std::uint64_t source = 0;
        std::uint32_t sequence = 0;
        bool there = false;
    };

    static Reading read(const Payload& payload, Packet& out) noexcept {
        constexpr std::size_t kSealedAt = 16;
        constexpr std::size_t kLeastLength = kSealedAt + 1 + 16;
        ByteReader reader(payload.bytes);
        const std::uint32_t high = reader.be32();
        const std::uint16_t low = reader.be16();
        const Bytes source = reader.bytes(6);
        out.sequence = reader.be32();
        if (!reader.ok()) {
            return ran_out(payload);
        }
        if ((high | low) != 0 || payload.length < kLeastLength || out.sequence >> 31U != 0 ||
            different(source) < 4 || is_plain(part(payload.bytes, kSealedAt, 32)) ||
            is_plain(part(payload.bytes, kSealedAt, payload.length))) {
            return Reading::contradicts;
        }
        for (const std::uint8_t octet : source) {
            out.source = out.source << 8U | octet;
        }
        out.there = true;
        return Reading::fits;
    }

    // Six octets of a hash: fewer than four different ones come once in ten million.
    static std::size_t different(Bytes octets) noexcept {
        std::size_t count = 0;
        for (std::size_t index = 0; index < octets.size(); ++index) {
            const Bytes before = octets.first(index);
            count += std::ranges::find(before, octets[index]) == before.end() ? 1U : 0U;
        }
        return count;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::tinc_udp
