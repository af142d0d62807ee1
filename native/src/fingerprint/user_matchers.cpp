// The call of a user's function, and what is held against the head afterwards.
#include "fingerprint/user_matchers.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace flowclass::fingerprint {

namespace {

// docs/evidence.md: an octet is worth 8 bits, an exact length at most 6.
constexpr double kBitsAnOctet = 8;
constexpr double kBitsOfALength = 6;

UserHead view_of(const FlowHead& head) noexcept {
    return {.time_first = head.time_first,
            .octets_fwd = head.kept[0].data(),
            .octets_rev = head.kept[1].data(),
            .entries = head.entries.data(),
            .size_fwd = static_cast<std::uint32_t>(head.kept[0].size()),
            .size_rev = static_cast<std::uint32_t>(head.kept[1].size()),
            .src_port = head.src_port,
            .dst_port = head.dst_port,
            .ip_proto = head.ip_proto,
            .entry_count = head.entry_count,
            .start_fwd = head.from_stream_start[0] ? std::uint8_t{1} : std::uint8_t{0},
            .start_rev = head.from_stream_start[1] ? std::uint8_t{1} : std::uint8_t{0},
            .gap_fwd = head.gap[0] ? std::uint8_t{1} : std::uint8_t{0},
            .gap_rev = head.gap[1] ? std::uint8_t{1} : std::uint8_t{0},
            .truncated = head.truncated ? std::uint8_t{1} : std::uint8_t{0}};
}

// No check can be worth more than its octets, nor lie where the head has none.
bool is_permitted(const UserCheck& check, const FlowHead& head, std::size_t rules) noexcept {
    if (check.rule >= rules || check.entry >= head.entry_count || !std::isfinite(check.bits)) {
        return false;
    }
    const std::size_t end = std::size_t{check.offset} + check.length;
    const double most = check.length == 0 ? kBitsOfALength : kBitsAnOctet * check.length;
    return check.bits > 0 && check.bits <= most && end <= head.payload(check.entry).bytes.size();
}

template <typename Record, typename Field>
UserField field_of(std::string_view name, Field Record::* /*field*/, std::size_t offset) {
    return {name, offset, sizeof(Field)};
}

}  // namespace

std::vector<UserLayout> user_layouts() {
#define FLOWCLASS_FIELD(type, name) field_of(#name, &type::name, offsetof(type, name))
    return {{"head",
             sizeof(UserHead),
             {FLOWCLASS_FIELD(UserHead, time_first),
              FLOWCLASS_FIELD(UserHead, octets_fwd),
              FLOWCLASS_FIELD(UserHead, octets_rev),
              FLOWCLASS_FIELD(UserHead, entries),
              FLOWCLASS_FIELD(UserHead, size_fwd),
              FLOWCLASS_FIELD(UserHead, size_rev),
              FLOWCLASS_FIELD(UserHead, src_port),
              FLOWCLASS_FIELD(UserHead, dst_port),
              FLOWCLASS_FIELD(UserHead, ip_proto),
              FLOWCLASS_FIELD(UserHead, entry_count),
              FLOWCLASS_FIELD(UserHead, start_fwd),
              FLOWCLASS_FIELD(UserHead, start_rev),
              FLOWCLASS_FIELD(UserHead, gap_fwd),
              FLOWCLASS_FIELD(UserHead, gap_rev),
              FLOWCLASS_FIELD(UserHead, truncated)}},
            {"entry",
             sizeof(head::HeadEntry),
             {FLOWCLASS_FIELD(head::HeadEntry, time),
              FLOWCLASS_FIELD(head::HeadEntry, length),
              FLOWCLASS_FIELD(head::HeadEntry, packet),
              FLOWCLASS_FIELD(head::HeadEntry, start),
              FLOWCLASS_FIELD(head::HeadEntry, kept),
              FLOWCLASS_FIELD(head::HeadEntry, payload_offset),
              FLOWCLASS_FIELD(head::HeadEntry, direction)}},
            {"check",
             sizeof(UserCheck),
             {FLOWCLASS_FIELD(UserCheck, bits),
              FLOWCLASS_FIELD(UserCheck, rule),
              FLOWCLASS_FIELD(UserCheck, entry),
              FLOWCLASS_FIELD(UserCheck, offset),
              FLOWCLASS_FIELD(UserCheck, length)}},
            {"evidence",
             sizeof(UserEvidence),
             {FLOWCLASS_FIELD(UserEvidence, checks),
              FLOWCLASS_FIELD(UserEvidence, count),
              FLOWCLASS_FIELD(UserEvidence, variant),
              FLOWCLASS_FIELD(UserEvidence, initiator)}}};
#undef FLOWCLASS_FIELD
}

UserMatchers::UserMatchers(std::vector<UserMatcher> given) : given_(std::move(given)) {
    if (given_.size() > kMaxUserMatchers) {
        given_.resize(kMaxUserMatchers);
    }
    // What infos point to must not move any more.
    for (const UserMatcher& matcher : given_) {
        first_rule_.push_back(rules_.size());
        for (const auto& [id, meaning] : matcher.rules) {
            rules_.push_back({id, meaning});
        }
        variants_.emplace_back(matcher.variants.begin(), matcher.variants.end());
    }
    rule_lists_.resize(given_.size());
    for (std::size_t number = 0; number < given_.size(); ++number) {
        for (std::size_t rule = 0; rule < given_[number].rules.size(); ++rule) {
            rule_lists_[number].push_back(&rules_[first_rule_[number] + rule]);
        }
        MatcherInfo info;
        info.protocol = given_[number].protocol;
        info.protocol_class = given_[number].protocol_class;
        info.title = info.protocol;
        info.variants = variants_[number];
        info.rules = rule_lists_[number];
        infos_.push_back(info);
    }
}

std::size_t UserMatchers::place_of(const Rule* rule) const noexcept {
    std::size_t place = 0;
    while (place < rules_.size() && &rules_[place] != rule) {
        ++place;
    }
    return place;
}

bool UserMatchers::fill(const FlowHead& head,
                        std::size_t number,
                        const UserEvidence& said,
                        Evidence& out) const noexcept {
    const std::size_t rules = given_[number].rules.size();
    for (const UserCheck& check :
         std::span(said.checks).first(std::min<std::size_t>(said.count, said.checks.size()))) {
        if (!is_permitted(check, head, rules)) {
            return false;
        }
        out.add(rules_[first_rule_[number] + check.rule],
                head,
                check.entry,
                check.offset,
                check.length,
                check.bits);
    }
    if (said.variant > variants_[number].size() || said.initiator > 2) {
        return false;
    }
    if (said.variant > 0) {
        out.set_variant(variants_[number][said.variant - std::size_t{1}]);
    }
    if (said.initiator > 0) {
        out.set_initiator(said.initiator == 1 ? Direction::forward : Direction::reverse);
    }
    return true;
}

Evidence UserMatchers::evidence(std::size_t number,
                                const FlowHead& head,
                                UserFaults& faults) const noexcept {
    const UserHead view = view_of(head);
    // Its places stay as they are: 16 checks would be written for nothing.
    UserEvidence said;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    said.count = 0;
    said.variant = 0;
    said.initiator = 0;
    const int held = given_[number].function(&view, &said);
    if (held == 0) {
        return {};
    }
    Evidence out;
    if (held != 1) {
        ++faults.failed[number];
    } else if (!fill(head, number, said, out)) {
        ++faults.refused[number];
        return {};
    }
    return out;
}

void UserMatchers::match(const FlowHead& head, Match& out, UserFaults& faults) const noexcept {
    for (std::size_t number = 0; number < given_.size(); ++number) {
        if (!passes(given_[number].prefilter, head)) {
            continue;
        }
        const Evidence found = evidence(number, head, faults);
        if (!found.empty()) {
            consider(out, static_cast<std::uint16_t>(matchers().size() + number), found);
        }
    }
}

const MatcherInfo& info_of(std::uint16_t matcher, const UserMatchers* user) noexcept {
    const std::size_t built = matchers().size();
    return matcher < built || user == nullptr ? *matchers()[matcher].info
                                              : user->info(matcher - built);
}

}  // namespace flowclass::fingerprint
