// RakNet, the transport of Minecraft Bedrock and other games.
//
// Before a connection, with the magic 00ffff00 fefefefe fdfdfdfd 12345678 at a place that the first
// octet tells:
//   01, 02 ping: time 8 | magic      05 request: magic | version | zeros     1c pong: time 8 | id 8
//   | magic | text 06, 07, 08 the rest of the set-up: magic                                 19
//   other version: version | magic
// In a connection: 80..8d | number, 24 bits, little-endian | frames: flags (reliability 3 bits,
// split 1) |
//   length in bits 2 | message number 3 | sequence number 3 | order 3, channel 1 | split 10 |
//   octets
// c0, a0: acknowledgements of numbers.
//
// Sources: RakNet source, wiki.vg Raknet Protocol.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::raknet {

inline constexpr Rule kMagic{"raknet.offline_magic",
                             "the sixteen octets that mark messages before a connection; RakNet, "
                             "RakPeer.cpp, OFFLINE_MESSAGE_DATA_ID"};
inline constexpr Rule kFrames{
    "raknet.frames", "frames whose lengths end with the datagram; RakNet, ReliabilityLayer.cpp"};
inline constexpr Rule kNumber{
    "raknet.number", "the number of the datagram is the next one; RakNet, ReliabilityLayer.cpp"};

inline constexpr std::array<std::string_view, 1> kVariants{"minecraft"};
inline constexpr std::array<const Rule*, 3> kRules{&kMagic, &kFrames, &kNumber};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "raknet",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "RakNet",
                                      .ports = {},
                                      .variants = kVariants,
                                      .rules = kRules,
                                      .sources = "RakNet source, wiki.vg Raknet Protocol"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .first_bytes = ByteSet::of({0x01, 0x02, 0x05, 0x06, 0x07, 0x08, 0x19, 0x1c, 0xa0, 0xc0}) |
                       ByteSet::range(0x80, 0x8d),
        .least_length = 7};

    static Evidence match(const FlowHead& head) noexcept {
        Evidence evidence;
        Tally tally;
        std::array<bool, 2> told{};
        std::array<std::uint32_t, 2> number{kNone, kNone};
        for (std::size_t entry = 0; entry < head.entry_count && !tally.lost(); ++entry) {
            const Payload payload = head.payload(entry);
            const std::size_t side = index_of(payload.direction);
            const std::size_t magic = magic_place(payload);
            if (magic != 0) {
                // Sixteen constant octets, some of them common.
                evidence.add(kMagic, head, entry, magic, 16, told[side] ? 4 : 100);
                told[side] = true;
                tell_roles(evidence, payload, magic);
                tally.add(Reading::fits);
            } else if (payload.length > 0 && payload.bytes.size() >= kLeastFrame &&
                       payload.bytes[0] >= 0x80 && payload.bytes[0] <= 0x8d) {
                tally.add(add_frames(evidence, head, payload, number[side]));
            } else {
                tally.add(is_acknowledgement(payload) || told[0] || told[1] ? Reading::cut
                                                                            : Reading::contradicts);
            }
        }
        return tally.holds() ? evidence : Evidence{};
    }

  private:
    static constexpr std::uint32_t kNone = UINT32_MAX;
    static constexpr std::size_t kLeastFrame = 8;

    // Where the magic stands, 0 when it does not.
    static std::size_t magic_place(const Payload& payload) noexcept {
        std::size_t place = 0;
        switch (at(payload.bytes, 0).u8()) {
            case 0x01:
            case 0x02:
                place = 9;
                break;
            case 0x05:
            case 0x06:
            case 0x07:
            case 0x08:
                place = 1;
                break;
            case 0x19:
                place = 2;
                break;
            case 0x1c:
                place = 17;
                break;
            default:
                return 0;
        }
        ByteReader reader = at(payload.bytes, place);
        return reader.be64() == 0x00ffff00fefefefe && reader.be64() == 0xfdfdfdfd12345678 ? place
                                                                                          : 0;
    }

    static void tell_roles(Evidence& evidence, const Payload& payload, std::size_t magic) noexcept {
        const std::uint8_t id = payload.bytes[0];
        const bool answer = id == 0x06 || id == 0x08 || id == 0x19 || id == 0x1c;
        evidence.set_initiator(answer ? opposite(payload.direction) : payload.direction);
        // The text of a pong: edition, name, version; Bedrock and Education.
        if (id == 0x1c && (has_text(payload.bytes, "MCPE;", magic + 18) ||
                           has_text(payload.bytes, "MCEE;", magic + 18))) {
            evidence.set_variant("minecraft");
        }
    }

    static bool is_acknowledgement(const Payload& payload) noexcept {
        ByteReader reader(payload.bytes);
        const std::uint8_t kind = reader.u8();
        const std::uint16_t records = reader.be16();
        const std::size_t body = payload.length - std::min<std::size_t>(payload.length, 3);
        return reader.ok() && (kind == 0xc0 || kind == 0xa0) && records > 0 &&
               body >= std::size_t{records} * 4 && body <= std::size_t{records} * 7;
    }

    static std::uint32_t read_le24(ByteReader& reader) noexcept {
        const std::uint32_t low = reader.le16();
        return low | std::uint32_t{reader.u8()} << 16U;
    }

    // Octets of one frame with its header, 0 when it cannot be one.
    static std::size_t frame_length(ByteReader& reader) noexcept {
        const std::uint8_t flags = reader.u8();
        const std::size_t bits = reader.be16();
        const unsigned reliability = flags >> 5U;
        const bool split = (flags & 0x10U) != 0;
        const bool numbered = reliability >= 2 && reliability != 5;
        const bool sequenced = reliability == 1 || reliability == 4;
        const bool ordered = sequenced || reliability == 3 || reliability == 7;
        const std::size_t header = 3U + (numbered ? 3U : 0U) + (sequenced ? 3U : 0U) +
                                   (ordered ? 4U : 0U) + (split ? 10U : 0U);
        // Bit 3 marks that acknowledgements are asked for, in some versions; the rest is zero.
        return !reader.ok() || (flags & 0x07U) != 0 || bits == 0 || bits % 8 != 0
                   ? 0
                   : header + bits / 8;
    }

    static Reading add_frames(Evidence& evidence,
                              const FlowHead& head,
                              const Payload& payload,
                              std::uint32_t& last) noexcept {
        ByteReader reader = at(payload.bytes, 1);
        const std::uint32_t number = read_le24(reader);
        std::size_t end = 4;
        std::size_t frames = 0;
        std::size_t last_frame = 0;
        while (end < payload.length && end + 3 <= payload.bytes.size() && frames < kMaxEntries) {
            ByteReader frame = at(payload.bytes, end);
            const std::size_t length = frame_length(frame);
            if (length == 0) {
                return Reading::contradicts;
            }
            last_frame = end;
            end += length;
            ++frames;
        }
        if (end != payload.length || frames == 0) {
            return end > payload.length ? Reading::contradicts : Reading::cut;
        }
        // Lengths in bits, divisible by eight, that lead to the end: 14; flags 3; the first
        // octet 4.
        if (last == kNone) {
            evidence.add(kFrames, head, payload.entry, 0, 1, 4);
            evidence.add(kFrames, head, payload.entry, last_frame, 3, 14);
        } else if (number == last + 1) {
            evidence.add(kNumber, head, payload.entry, 1, 3, 16);
        }
        last = number;
        return Reading::fits;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::raknet
