// Telegram's calls through its reflectors.
//
// Query:  tag of the call 16 | ff 12 | kind 4: fffffffe asks who I am, ... | query 8
// Answer: tag 16 | ff 12 | c01572c7 little-endian: what the reflector saw | time 4 | query 8 |
// zeros 10, ffff, IPv4 address 4 | port 4
//
// Sources: libtgvoip source, VoIPController.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::telegram_voip {

inline constexpr Rule kMarks{
    "telegram-voip.reflector_marks",
    "twelve octets ff behind a tag that is not constant; libtgvoip, VoIPController.cpp"};
inline constexpr Rule kKind{
    "telegram-voip.reflector_kind",
    "a kind of query or the answer of a reflector; libtgvoip, VoIPController.cpp"};
inline constexpr Rule kTag{"telegram-voip.tag",
                           "the answer has the tag of the query; libtgvoip, VoIPController.cpp"};

inline constexpr std::array<const Rule*, 3> kRules{&kMarks, &kKind, &kTag};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "telegram-voip",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "Telegram calls",
                                      .ports = {},
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "libtgvoip source, VoIPController.cpp"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .least_length = 32,
                                         .most_length = 96,
                                         .octets = {{{16, ByteSet::of({0xff})}}}};

    static Evidence match(const FlowHead& head) noexcept {
        std::array<Bytes, 2> tags{};
        return match_datagrams(
            head, {}, kTag, [&](Evidence& evidence, const Payload& payload, bool first) {
                ByteReader reader(payload.bytes);
                const Bytes tag = reader.bytes(16);
                const std::uint64_t marks = reader.be64();
                const std::uint32_t more = reader.be32();
                const std::uint32_t kind = reader.le32();
                if (!reader.ok()) {
                    return ran_out(payload);
                }
                const bool ours = marks == UINT64_MAX && more == UINT32_MAX &&
                                  (kind == kAnswer || kind == kSelf || kind == kOther) &&
                                  at(tag, 0).be32() != UINT32_MAX;
                if (!ours) {
                    // The call itself goes through the same reflector behind the same tag.
                    return evidence.empty() ? Reading::contradicts : Reading::cut;
                }
                if (first) {
                    // Octets of ff are common: 4 of 8.
                    evidence.add(kMarks, head, payload.entry, 16, 12, 32);
                    evidence.add(kKind, head, payload.entry, 28, 4, kind == kAnswer ? 28 : 12);
                    const Bytes other = tags[index_of(opposite(payload.direction))];
                    if (other.size() == tag.size() &&
                        std::equal(tag.begin(), tag.end(), other.begin())) {
                        evidence.add(kTag, head, payload.entry, 0, 16, 64);
                    }
                }
                tags[index_of(payload.direction)] = tag;
                evidence.set_initiator(kind == kAnswer ? opposite(payload.direction)
                                                       : payload.direction);
                return Reading::fits;
            });
    }

  private:
    static constexpr std::uint32_t kAnswer = 0xc01572c7;  // udpReflectorSelfInfo
    static constexpr std::uint32_t kSelf = 0xfffffffe;
    static constexpr std::uint32_t kOther = 0xffffffff;  // a ping
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::telegram_voip
