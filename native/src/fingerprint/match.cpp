// The trial of candidates. fingerprint_list.inc is written by the build from protocols/*.hpp.
#include "fingerprint/match.hpp"

#include <algorithm>
#include <bit>
#include <span>

#include "fingerprint/candidates.hpp"
#include "fingerprint_includes.inc"

namespace flowclass::fingerprint {

namespace {

#define FLOWCLASS_FINGERPRINT(name) \
    MatcherEntry{#name, &name::Matcher::info, &name::Matcher::prefilter, &name::Matcher::match},
constexpr auto kMatchers = std::to_array<MatcherEntry>({
#include "fingerprint_list.inc"
});
#undef FLOWCLASS_FINGERPRINT

struct Filters {
    static constexpr auto kAll = [] {
        std::array<const Prefilter*, kMatchers.size()> filters{};
        for (std::size_t matcher = 0; matcher < filters.size(); ++matcher) {
            filters[matcher] = kMatchers[matcher].prefilter;
        }
        return filters;
    }();
};
using AllCandidates = Candidates<Filters>;

const AllCandidates& candidates() noexcept {
    static const AllCandidates built;
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

bool fits_length(const Prefilter& filter, std::uint32_t length) noexcept {
    return length >= filter.least_length && length <= filter.most_length;
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
    const auto wants = [&](const FirstPayload& payload) {
        return !payload.bytes.empty() && fits_length(filter, payload.length) &&
               filter.first_bytes.contains(payload.bytes[0]) &&
               (passes_all(filter.octets, head.ip_proto, payload.bytes) ||
                (has_other_form(filter) &&
                 passes_all(filter.or_octets, head.ip_proto, payload.bytes)));
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
    const AllCandidates& all = candidates();
    const std::array<AllCandidates::Mask, 2> wanted{
        all.of(head.ip_proto, payloads[0].bytes, payloads[0].length),
        all.of(head.ip_proto, payloads[1].bytes, payloads[1].length)};
    std::uint16_t tried = kNoMatcher;
    for (std::size_t word = 0; word < AllCandidates::kWords; ++word) {
        const std::array<std::uint64_t, 2> of{wanted[0].words[word], wanted[1].words[word]};
        for (std::uint64_t rest = of[0] | of[1]; rest != 0; rest &= rest - 1) {
            const auto bit = static_cast<std::size_t>(std::countr_zero(rest));
            const Form& form = AllCandidates::form(word * 64 + bit);
            const auto wants = [&](std::size_t side) {
                return (of[side] >> bit & 1U) != 0 &&
                       fits_length(*form.filter, payloads[side].length);
            };
            if (form.matcher == tried || (!wants(0) && !wants(1))) {
                continue;
            }
            tried = form.matcher;
            const Evidence evidence = kMatchers[tried].match(head);
            if (!evidence.empty()) {
                consider(out, tried, evidence);
            }
        }
    }
}

}  // namespace flowclass::fingerprint
