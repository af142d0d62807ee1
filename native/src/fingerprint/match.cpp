// The prefilter table and the trial of candidates. fingerprint_list.inc is written by the build
// from protocols/*.hpp.
#include "fingerprint/match.hpp"

#include <algorithm>
#include <bit>

#include "fingerprint_includes.inc"

namespace flowclass::fingerprint {

namespace {

#define FLOWCLASS_FINGERPRINT(name) \
    MatcherEntry{#name, &name::Matcher::info, &name::Matcher::prefilter, &name::Matcher::match},
constexpr auto kMatchers = std::to_array<MatcherEntry>({
#include "fingerprint_list.inc"
});
#undef FLOWCLASS_FINGERPRINT

constexpr std::size_t kMatcherCount = std::size(kMatchers);
constexpr std::size_t kMaskWords = (kMatcherCount + 63) / 64;

struct Mask {
    std::array<std::uint64_t, kMaskWords> words{};

    constexpr void add(std::size_t matcher) noexcept {
        words[matcher / 64] |= 1ULL << (matcher % 64);
    }
    constexpr void operator|=(const Mask& other) noexcept {
        for (std::size_t word = 0; word < kMaskWords; ++word) {
            words[word] |= other.words[word];
        }
    }
};

enum Transport : std::size_t { tcp, udp, other, transport_count };

constexpr std::size_t transport_of(std::uint8_t ip_proto) noexcept {
    return ip_proto == kTcp ? tcp : ip_proto == kUdp ? udp : other;
}

// Which matchers want a payload with this first octet: by transport, for the bulk; `other` is
// narrowed in wanted().
struct Table {
    std::array<std::array<Mask, 256>, transport_count> by_first_byte{};

    Table() noexcept {
        for (std::size_t matcher = 0; matcher < kMatcherCount; ++matcher) {
            const Prefilter& filter = *kMatchers[matcher].prefilter;
            for (const std::uint8_t ip_proto : filter.ip_protos) {
                if (ip_proto == 0) {
                    continue;
                }
                for (std::size_t value = 0; value < 256; ++value) {
                    if (filter.first_bytes.contains(static_cast<std::uint8_t>(value))) {
                        by_first_byte[transport_of(ip_proto)][value].add(matcher);
                    }
                }
            }
        }
    }
};

const Table& table() noexcept {
    static const Table built;
    return built;
}

struct FirstPayload {
    bool there = false;
    std::uint8_t octet = 0;
    std::uint32_t length = 0;
};

FirstPayload first_payload(const FlowHead& head, Direction direction) noexcept {
    const std::size_t entry = head.next(direction);
    if (entry == kMaxEntries) {
        return {};
    }
    // A TCP direction is judged by its stream: the first segment that arrived may not be the first
    // of it.
    const Bytes bytes = head.ip_proto == kTcp ? head.stream(direction) : head.payload(entry).bytes;
    if (bytes.empty()) {
        return {};
    }
    return {true, bytes[0], head.entries[entry].length};
}

// The whole prefilter of one matcher on one payload; the table has only looked at transport and
// first octet of either.
bool wanted(const Prefilter& filter, std::uint8_t ip_proto, const FirstPayload& payload) noexcept {
    return payload.there && payload.length >= filter.least_length &&
           payload.length <= filter.most_length && filter.first_bytes.contains(payload.octet) &&
           std::find(filter.ip_protos.begin(), filter.ip_protos.end(), ip_proto) !=
               filter.ip_protos.end();
}

// Keeps the strongest losers, strongest first.
void add_alternative(Match& out, std::uint16_t matcher, float bits) noexcept {
    if (bits < 16) {
        return;
    }
    std::size_t place = 0;
    while (place < out.alternative_count && out.alternatives[place].bits >= bits) {
        ++place;
    }
    if (place == kMaxAlternatives) {
        return;
    }
    const std::size_t last = std::min(out.alternative_count, kMaxAlternatives - 1);
    for (std::size_t index = last; index > place; --index) {
        out.alternatives[index] = out.alternatives[index - 1];
    }
    out.alternatives[place] = {matcher, bits};
    out.alternative_count = last + 1;
}

void consider(Match& out, std::uint16_t matcher, const Evidence& evidence) noexcept {
    const Tier tier = tier_of(evidence);
    const bool better = tier > out.tier || (tier == out.tier && tier != Tier::none &&
                                            evidence.bits() > out.evidence.bits());
    if (!better) {
        add_alternative(out, matcher, evidence.bits());
        return;
    }
    if (out.matcher != kNoMatcher) {
        add_alternative(out, out.matcher, out.evidence.bits());
    }
    out.matcher = matcher;
    out.tier = tier;
    out.evidence = evidence;
}

}  // namespace

std::span<const MatcherEntry> matchers() noexcept {
    return kMatchers;
}

void match(FlowHead& head, Match& out) noexcept {
    out.matcher = kNoMatcher;
    out.tier = Tier::none;
    out.alternative_count = 0;
    out.has_hello = hello::may_hold_hello(head) && hello::read(head, out.hello);
    head.hello = out.has_hello ? &out.hello : nullptr;
    const FirstPayload forward = first_payload(head, Direction::forward);
    const FirstPayload reverse = first_payload(head, Direction::reverse);
    const auto& by_first_byte = table().by_first_byte[transport_of(head.ip_proto)];
    Mask candidates;
    if (forward.there) {
        candidates |= by_first_byte[forward.octet];
    }
    if (reverse.there) {
        candidates |= by_first_byte[reverse.octet];
    }
    for (std::size_t word = 0; word < kMaskWords; ++word) {
        for (std::uint64_t rest = candidates.words[word]; rest != 0; rest &= rest - 1) {
            const std::size_t matcher =
                word * 64 + static_cast<std::size_t>(std::countr_zero(rest));
            const MatcherEntry& entry = kMatchers[matcher];
            if (!wanted(*entry.prefilter, head.ip_proto, forward) &&
                !wanted(*entry.prefilter, head.ip_proto, reverse)) {
                continue;
            }
            const Evidence evidence = entry.match(head);
            if (!evidence.empty()) {
                consider(out, static_cast<std::uint16_t>(matcher), evidence);
            }
        }
    }
}

}  // namespace flowclass::fingerprint
