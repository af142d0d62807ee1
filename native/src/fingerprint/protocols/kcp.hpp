// KCP, a reliable transport of games and proxies. All integers are little-endian.
//
// 0 conversation 4 (8 in some games) | kind 81..84 | fragment 1 | window 2 | time 4 | number 4 |
// acknowledged 4 | length 4 | octets; more segments
//
// Sources: kcp (skywind3000), protocol.txt.
#pragma once

#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::kcp {

inline constexpr Rule kSegments{
    "kcp.segments",
    "segments of known kind whose lengths end with the datagram; kcp, protocol.txt"};
inline constexpr Rule kNumber{"kcp.number",
                              "the same conversation in this direction, its number the same or a "
                              "little higher; kcp, protocol.txt"};
inline constexpr Rule kAgain{"kcp.conversation",
                             "the same conversation in both directions; kcp, protocol.txt"};

inline constexpr std::array<const Rule*, 3> kRules{&kSegments, &kNumber, &kAgain};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "kcp",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "KCP",
                                      .ports = {},
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "kcp (skywind3000), protocol.txt"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kUdp},
        .least_length = 24,
        // The kind, behind a conversation of four octets or of eight.
        .octets = {{{4, ByteSet::range(81, 84)}}},
        .or_octets = {{{8, ByteSet::range(81, 84)}}}};

    static Evidence match(const FlowHead& head) noexcept {
        LastSaid<std::uint32_t> ids;
        std::array<std::uint32_t, 2> last_id{};
        std::array<std::uint32_t, 2> last_number{};
        std::array<bool, 2> counted{};
        return match_datagrams(
            head, {}, kSegments, [&](Evidence& evidence, const Payload& payload, bool first) {
                if (payload.bytes.size() < 28 && payload.bytes.size() < payload.length) {
                    return Reading::cut;
                }
                if (!is_kind(payload, 4) && !is_kind(payload, 8)) {
                    return Reading::contradicts;
                }
                std::size_t conversation = 4;
                Walk walk = read_segments(payload, conversation);
                if (walk.segments == 0) {
                    conversation = 8;
                    walk = read_segments(payload, conversation);
                }
                if (walk.segments == 0) {
                    return Reading::contradicts;
                }
                if (first) {
                    // The kind 6; two zero octets of the length 12, the rest 12.
                    evidence.add(kSegments, head, payload.entry, conversation, 1, 5);
                    evidence.add(kSegments,
                                 head,
                                 payload.entry,
                                 walk.last + conversation + 16,
                                 4,
                                 walk.to_the_end ? 22 : 12);
                }
                const std::uint32_t id = at(payload.bytes, 0).be32();
                const std::uint32_t number = at(payload.bytes, conversation + 8).le32();
                const std::size_t side = index_of(payload.direction);
                if (!first && !counted[side] && last_id[side] == id &&
                    number - last_number[side] <= kMostStep) {
                    // A constant word 6, three octets of a small number 6.
                    counted[side] = true;
                    evidence.add(kNumber, head, payload.entry, 0, 4, 6);
                    evidence.add(kNumber, head, payload.entry, conversation + 9, 3, 6);
                }
                last_id[side] = id;
                last_number[side] = number;
                if (id != 0 && ids.answers(payload, id)) {
                    evidence.add(kAgain, head, payload.entry, 0, 4, 16);
                }
                ids.say(payload, id);
                return Reading::fits;
            });
    }

  private:
    static constexpr std::uint32_t kMostStep = 256;

    static bool is_kind(const Payload& payload, std::size_t offset) noexcept {
        const std::uint8_t kind = at(payload.bytes, offset).u8();
        return kind >= 81 && kind <= 84;
    }

    struct Walk {
        std::size_t segments = 0;
        std::size_t last = 0;
        bool to_the_end = false;
    };
    static Walk read_segments(const Payload& payload, std::size_t conversation) noexcept {
        const std::size_t header = conversation + 20;
        Walk walk;
        std::size_t offset = 0;
        while (offset < payload.length && offset + header <= payload.bytes.size()) {
            const std::uint8_t kind = at(payload.bytes, offset + conversation).u8();
            const std::uint32_t length = at(payload.bytes, offset + conversation + 16).le32();
            const bool carries = kind == 81;
            if (kind < 81 || kind > 84 || (!carries && length != 0) ||
                length > payload.length - offset - header) {
                return {};
            }
            walk.last = offset;
            offset += header + length;
            ++walk.segments;
        }
        walk.to_the_end = offset == payload.length;
        if (!walk.to_the_end && payload.bytes.size() == payload.length) {
            return {};
        }
        return walk;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::kcp
