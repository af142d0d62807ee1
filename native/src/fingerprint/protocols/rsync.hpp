// rsync's daemon protocol (rsync csprotocol.txt), TCP: both sides begin with a line.
//
//  "@RSYNCD: " version, digits and a point [SP digests] LF; then a module's name, "@RSYNCD: OK"
//
// Sources: rsync csprotocol.txt, clientserver.c.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/stream_side.hpp"
#include "fingerprint/text.hpp"

namespace flowclass::fingerprint::rsync {

inline constexpr Rule kGreeting{
    "rsync.greeting", "the first line is @RSYNCD and a version in digits; csprotocol.txt"};

inline constexpr std::array<std::uint16_t, 1> kPorts{873};
inline constexpr std::array<const Rule*, 1> kRules{&kGreeting};

struct Matcher {
    static constexpr MatcherInfo info{.protocol = "rsync",
                                      .protocol_class = ProtocolClass::app,
                                      .title = "rsync",
                                      .ports = kPorts,
                                      .variants = {},
                                      .rules = kRules,
                                      .sources = "rsync csprotocol.txt, clientserver.c"};
    static constexpr Prefilter prefilter{
        .ip_protos = {kTcp}, .first_bytes = ByteSet::of({'@'}), .least_length = 4};

    static Evidence match(const FlowHead& head) noexcept { return match_sides(head, &read); }

  private:
    static bool read(Evidence& evidence, const StreamSide& side) noexcept {
        const Bytes stream = side.stream();
        if (!has_text(stream, "@RSYNCD: ") || stream.size() < 11 || !is_digit(stream[9]) ||
            !is_digit(stream[10])) {
            return stream.size() < 11;
        }
        side.add(evidence, kGreeting, 0, 11, 56);
        return true;
    }
};
static_assert(FingerprintMatcher<Matcher>);

}  // namespace flowclass::fingerprint::rsync
