// FIX (FIX Trading Community: FIX session layer), TCP: tags and values behind each other, 01
// between.
//
//  "8=FIX.4.2" 01 "9=" length 01 "35=" kind 01 ... "10=" checksum, three digits 01
//
// Sources: FIX session layer specification, FIX TagValue encoding.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::fix {

inline constexpr Rule kBegin{
    "fix.begin", "the first tag is 8, the version of FIX, and the second 9; FIX TagValue encoding"};
inline constexpr Rule kKind{"fix.kind", "the third tag is 35; FIX TagValue encoding"};

inline constexpr std::array<std::uint16_t, 1> kPorts{4000};
inline constexpr std::array<const Rule*, 2> kRules{&kBegin, &kKind};

struct Matcher {
    static constexpr MatcherInfo info{
        .protocol = "fix",
        .protocol_class = ProtocolClass::app,
        .title = "Financial Information Exchange",
        .ports = kPorts,
        .variants = {},
        .rules = kRules,
        .sources = "FIX session layer specification, FIX TagValue encoding"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'8'}), .least_length = 12};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        const Bytes stream = side.stream();
        const std::size_t first = find_text(stream.first(stream.size() < 24 ? stream.size() : 24),
                                            "\x01"
                                            "9=");
        if (!has_text(stream, "8=FIX") || first >= 24 || first == stream.size()) {
            return !side.from_start() || stream.size() < 12;
        }
        // Five octets 27, three somewhere near 14.
        side.add(evidence, kBegin, 0, 5, 27);
        side.add(evidence, kBegin, first, 3, 14);
        std::size_t digits = first + 3;
        while (digits < stream.size() && is_digit(stream[digits]) && digits < first + 9) {
            ++digits;
        }
        if (digits > first + 3 && has_text(stream,
                                           "\x01"
                                           "35=",
                                           digits)) {
            side.add(evidence, kKind, digits, 4, 23);
        }
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::fix
