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
    constexpr void operator&=(const Mask& other) noexcept {
        for (std::size_t word = 0; word < kMaskWords; ++word) {
            words[word] &= other.words[word];
        }
    }
};

// Lengths by power of two: class k holds [2^(k-1), 2^k), the last all above.
constexpr std::size_t kLengthClasses = 13;
constexpr std::size_t length_class(std::uint32_t length) noexcept {
    return std::min<std::size_t>(std::bit_width(length), kLengthClasses - 1);
}

// The offsets at which prefilters ask for another octet, each once.
struct Offsets {
    std::array<std::size_t, kMatcherCount> at{};
    std::size_t count = 0;
};
constexpr Offsets kOffsets = [] {
    Offsets offsets;
    for (const MatcherEntry& entry : kMatchers) {
        const std::size_t offset = entry.prefilter->octet_at;
        const auto known = std::span(offsets.at).first(offsets.count);
        if (offset != 0 && std::find(known.begin(), known.end(), offset) == known.end()) {
            offsets.at[offsets.count++] = offset;
        }
    }
    return offsets;
}();

// Which matchers want a payload: by IP protocol, by first octet, and by class of length. What is
// left of the prefilter is asked of each.
struct Table {
    std::array<Mask, 256> by_ip_proto{};
    std::array<Mask, 256> by_first_byte{};
    std::array<Mask, kLengthClasses> by_length{};
    // At each of kOffsets, by octet; those that do not ask for it always go on.
    std::array<std::array<Mask, 256>, kOffsets.count> by_octet{};
    std::array<std::uint32_t, kMatcherCount> least{};
    std::array<std::uint32_t, kMatcherCount> most{};

    Table() noexcept {
        for (std::size_t matcher = 0; matcher < kMatcherCount; ++matcher) {
            const Prefilter& filter = *kMatchers[matcher].prefilter;
            least[matcher] = filter.least_length;
            most[matcher] = filter.most_length;
            for (const std::uint8_t ip_proto : filter.ip_protos) {
                if (ip_proto != 0) {
                    by_ip_proto[ip_proto].add(matcher);
                }
            }
            for (std::size_t value = 0; value < 256; ++value) {
                add_octet(matcher, static_cast<std::uint8_t>(value));
            }
            for (std::size_t of = length_class(filter.least_length);
                 of <= length_class(filter.most_length);
                 ++of) {
                by_length[of].add(matcher);
            }
        }
    }

  private:
    void add_octet(std::size_t matcher, std::uint8_t value) noexcept {
        const Prefilter& filter = *kMatchers[matcher].prefilter;
        if (filter.first_bytes.contains(value)) {
            by_first_byte[value].add(matcher);
        }
        for (std::size_t place = 0; place < by_octet.size(); ++place) {
            if (filter.octet_at != kOffsets.at[place] || filter.octets.contains(value)) {
                by_octet[place][value].add(matcher);
            }
        }
    }
};

const Table& table() noexcept {
    static const Table built;
    return built;
}

struct FirstPayload {
    Bytes bytes;  // none: the direction has none
    std::uint32_t length = 0;
};

FirstPayload first_payload(const FlowHead& head, Direction direction) noexcept {
    const std::size_t entry = head.next(direction);
    if (entry == kMaxEntries) {
        return {};
    }
    // A TCP direction is judged by its stream: the first segment that arrived may not be the first
    // of it.
    return {head.ip_proto == kTcp ? head.stream(direction) : head.payload(entry).bytes,
            head.entries[entry].length};
}

// What of the prefilter the masks do not say: lengths within a class.
bool fits(const Table& all, std::size_t matcher, std::uint32_t length) noexcept {
    return length >= all.least[matcher] && length <= all.most[matcher];
}

// Which matchers want a direction's first payload, but for lengths within a class.
Mask wanted_by(const Table& all, std::uint8_t ip_proto, const FirstPayload& payload) noexcept {
    if (payload.bytes.empty()) {
        return {};
    }
    Mask wanted = all.by_first_byte[payload.bytes[0]];
    wanted &= all.by_length[length_class(payload.length)];
    wanted &= all.by_ip_proto[ip_proto];
    for (std::size_t place = 0; place < kOffsets.count; ++place) {
        const std::size_t offset = kOffsets.at[place];
        if (offset < payload.bytes.size()) {
            wanted &= all.by_octet[place][payload.bytes[offset]];
        }
    }
    return wanted;
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

}  // namespace

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

bool passes(const Prefilter& filter, const FlowHead& head) noexcept {
    const auto& protos = filter.ip_protos;
    if (head.ip_proto == 0 ||
        std::find(protos.begin(), protos.end(), head.ip_proto) == protos.end()) {
        return false;
    }
    const auto wants = [&filter](const FirstPayload& payload) {
        return !payload.bytes.empty() && payload.length >= filter.least_length &&
               payload.length <= filter.most_length &&
               filter.first_bytes.contains(payload.bytes[0]) &&
               (filter.octet_at == 0 || filter.octet_at >= payload.bytes.size() ||
                filter.octets.contains(payload.bytes[filter.octet_at]));
    };
    return wants(first_payload(head, Direction::forward)) ||
           wants(first_payload(head, Direction::reverse));
}

std::span<const MatcherEntry> matchers() noexcept {
    return kMatchers;
}

void match(FlowHead& head, Match& out) noexcept {
    out.matcher = kNoMatcher;
    out.tier = Tier::none;
    out.alternative_count = 0;
    out.has_hello = hello::may_hold_hello(head) && hello::read(head, out.hello);
    head.hello = out.has_hello ? &out.hello : nullptr;
    const std::array<FirstPayload, 2> payloads{first_payload(head, Direction::forward),
                                               first_payload(head, Direction::reverse)};
    const Table& all = table();
    const std::array<Mask, 2> wanted{wanted_by(all, head.ip_proto, payloads[0]),
                                     wanted_by(all, head.ip_proto, payloads[1])};
    for (std::size_t word = 0; word < kMaskWords; ++word) {
        const std::array<std::uint64_t, 2> of{wanted[0].words[word], wanted[1].words[word]};
        for (std::uint64_t rest = of[0] | of[1]; rest != 0; rest &= rest - 1) {
            const auto bit = static_cast<std::size_t>(std::countr_zero(rest));
            const std::size_t matcher = word * 64 + bit;
            if (((of[0] >> bit & 1U) == 0 || !fits(all, matcher, payloads[0].length)) &&
                ((of[1] >> bit & 1U) == 0 || !fits(all, matcher, payloads[1].length))) {
                continue;
            }
            const Evidence evidence = kMatchers[matcher].match(head);
            if (!evidence.empty()) {
                consider(out, static_cast<std::uint16_t>(matcher), evidence);
            }
        }
    }
}

}  // namespace flowclass::fingerprint
