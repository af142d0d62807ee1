// Roughtime: time with a proof. All integers are little-endian.
//
// "ROUGHTIM" 8 | length 4 in newer versions, then: tags 4 | offsets 4 each but one | tags 4 each,
// rising | values
//
// Sources: Google Roughtime protocol, draft-ietf-ntp-roughtime.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "fingerprint/datagrams.hpp"

namespace flowclass::fingerprint::roughtime {

inline constexpr Rule kMagic{
    "roughtime.magic", "the words ROUGHTIM and the length to the end; draft-ietf-ntp-roughtime §5"};
inline constexpr Rule kTags{"roughtime.tags",
                            "a count of tags, and NONC among the first two; Google Roughtime "
                            "protocol, draft-ietf-ntp-roughtime §5"};
inline constexpr Rule kAnswer{"roughtime.answer_tags",
                              "a count of tags, and SIG first; Google Roughtime protocol"};
inline constexpr Rule kPort{"roughtime.port", "UDP port 2002 or 2003 on either side"};

inline constexpr std::array<std::uint16_t, 2> kPorts{2002, 2003};
inline constexpr std::array<const Rule*, 4> kRules{&kMagic, &kTags, &kAnswer, &kPort};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "roughtime",
        .protocol_class = ProtocolClass::app,
        .title = "Roughtime",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "Google Roughtime protocol, draft-ietf-ntp-roughtime"};
    static constexpr Prefilter prefilter{.ip_protos = {kUdp},
                                         .first_bytes = ByteSet::range(1, 16) | ByteSet::of({'R'}),
                                         .least_length = 64};

    static Evidence match(const FlowHead& head) noexcept {
        return match_datagrams(
            head, kPorts, kPort, [&](Evidence& evidence, const Payload& payload, bool first) {
                const bool framed = has_text(payload.bytes, "ROUGHTIM");
                const std::size_t base = framed ? 12 : 0;
                const std::uint32_t length = at(payload.bytes, 8).le32();
                const std::uint32_t tags = at(payload.bytes, base).le32();
                if (payload.bytes.size() < 32) {
                    return ran_out(payload);
                }
                if (tags == 0 || tags > 16 ||
                    (framed && length + std::uint64_t{12} != payload.length)) {
                    return Reading::contradicts;
                }
                const std::size_t names = base + 4 * std::size_t{tags};
                const bool asks = tags <= 8 && (has_text(payload.bytes, "NONC", names) ||
                                                has_text(payload.bytes, "NONC", names + 4) ||
                                                has_text(payload.bytes, "NONC", names + 8) ||
                                                has_text(payload.bytes, "NONC", names + 12));
                constexpr std::string_view kSig{"SIG\0", 4};
                const bool answers = has_text(payload.bytes, kSig, names);
                if (!framed && !asks && !answers) {
                    return Reading::contradicts;
                }
                if (first) {
                    if (framed) {
                        evidence.add(kMagic, head, payload.entry, 0, 12, 60);
                    }
                    if (asks || answers) {
                        const std::size_t place =
                            asks ? find_text(payload.bytes, "NONC", names) : names;
                        // The count 20, a name of four 20.
                        evidence.add(asks ? kTags : kAnswer, head, payload.entry, base, 4, 20);
                        evidence.add(asks ? kTags : kAnswer, head, payload.entry, place, 4, 20);
                    }
                }
                evidence.set_initiator(answers ? opposite(payload.direction) : payload.direction);
                return Reading::fits;
            });
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::roughtime
