// Builds a policy: checks each option, orders the phases by which wins; the names of outcomes and
// reasons.
#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "fingerprint/match.hpp"
#include "policy/policy.hpp"

namespace flowclass::policy {

namespace {

constexpr std::array<const char*, static_cast<std::size_t>(Outcome::count_)> kOutcomeNames{
    "not_applicable", "allow", "allow_grace", "review", "violation_trial", "violation"};
constexpr std::array<const char*, static_cast<std::size_t>(Reason::count_)> kReasonNames{
    "class_not_counted",
    "no_evidence",
    "out_of_scope",
    "registered",
    "exempt",
    "pending_in_window",
    "pending_overdue",
    "pending_undated",
    "pending_not_counted",
    "protocol_not_permitted",
    "not_yet_valid",
    "expired",
    "inactive",
    "unregistered",
    "tier_below_threshold"};

// The longest pending window: ten years.
constexpr base::TimeNs kMaxWindow = base::kSecond * 3600 * 24 * 3652;

bool is_phase_outcome(Outcome outcome) noexcept {
    return outcome == Outcome::allow_grace || outcome == Outcome::review ||
           outcome == Outcome::violation_trial || outcome == Outcome::violation;
}

constexpr const char* kPhaseOutcomes =
    " (permitted: allow_grace, review, violation_trial, violation)";

// Which phase wins where both hold: one with an end, then the latest start, then the earliest end.
bool wins(const Phase& left, const Phase& right) noexcept {
    const bool left_ends = left.until != registry::kOpenEnd;
    const bool right_ends = right.until != registry::kOpenEnd;
    if (left_ends != right_ends) {
        return left_ends;
    }
    return left.from != right.from ? left.from > right.from : left.until < right.until;
}

std::optional<base::Error> defect_of(const Phase& phase) {
    const std::string who = "phase '" + phase.name + "': ";
    if (phase.name.empty()) {
        return base::Error{"a phase has no name"};
    }
    if (!is_phase_outcome(phase.outcome)) {
        return base::Error{who + "the outcome cannot be " + to_string(phase.outcome) +
                           kPhaseOutcomes};
    }
    if (phase.from >= phase.until) {
        return base::Error{who + "'from' is not before 'until'"};
    }
    return std::nullopt;
}

std::optional<base::Error> first_defect(const PolicyOptions& options) {
    if (!is_phase_outcome(options.default_outcome)) {
        return base::Error{std::string("the default outcome cannot be ") +
                           to_string(options.default_outcome) + kPhaseOutcomes};
    }
    for (const Tier tier :
         {options.violation_tier, options.violation_trial_tier, options.review_tier}) {
        if (tier == Tier::none || tier >= Tier::count_) {
            return base::Error{
                "the least tier of an outcome is one of possible, probable, confirmed"};
        }
    }
    if (options.pending_window < 0 || options.pending_window > kMaxWindow) {
        return base::Error{"the pending window lies between 0 hours and ten years"};
    }
    if (options.phases.size() > kMaxPhases) {
        return base::Error{"a policy has at most " + std::to_string(kMaxPhases) + " phases"};
    }
    std::set<std::string_view> names;
    for (const Phase& phase : options.phases) {
        if (std::optional<base::Error> defect = defect_of(phase)) {
            return defect;
        }
        if (!names.insert(phase.name).second) {
            return base::Error{"two phases have the name '" + phase.name + "'"};
        }
    }
    return std::nullopt;
}

template <typename Enum>
base::Result<Enum> read_name(std::string_view text, const char* what) {
    std::string permitted;
    for (std::size_t index = 0; index < static_cast<std::size_t>(Enum::count_); ++index) {
        const auto value = static_cast<Enum>(index);
        if (text == to_string(value)) {
            return value;
        }
        permitted += std::string(index == 0 ? "" : ", ") + to_string(value);
    }
    return base::Error{"'" + std::string(text.substr(0, 64)) + "' is no " + what +
                       " (permitted: " + permitted + ")"};
}

}  // namespace

const char* to_string(Outcome outcome) noexcept {
    const auto index = static_cast<std::size_t>(outcome);
    return index < kOutcomeNames.size() ? kOutcomeNames[index] : "invalid";
}
const char* to_string(Reason reason) noexcept {
    const auto index = static_cast<std::size_t>(reason);
    return index < kReasonNames.size() ? kReasonNames[index] : "invalid";
}

Policy::Policy() {
    counted_[static_cast<std::size_t>(ProtocolClass::vpn)] = true;
}

base::Result<Policy> Policy::build(PolicyOptions options) {
    if (std::optional<base::Error> defect = first_defect(options)) {
        return *std::move(defect);
    }
    std::sort(options.phases.begin(), options.phases.end(), wins);
    const auto twins = std::adjacent_find(
        options.phases.begin(), options.phases.end(), [](const Phase& left, const Phase& right) {
            return left.from == right.from && left.until == right.until;
        });
    if (twins != options.phases.end()) {
        return base::Error{"the phases '" + twins->name + "' and '" + std::next(twins)->name +
                           "' cover the same time: neither can win"};
    }
    Policy policy;
    policy.counted_.fill(false);
    for (const ProtocolClass counted : options.classes) {
        const auto index = static_cast<std::size_t>(counted);
        if (index >= policy.counted_.size() || counted == ProtocolClass::unknown) {
            return base::Error{"a class that counts is one of vpn, overlay, proxy, covert, app"};
        }
        policy.counted_[index] = true;
    }
    base::Result<Exemptions> exemptions = Exemptions::build(options.exemptions);
    if (!exemptions.ok()) {
        return base::Error{exemptions.error()};
    }
    policy.exemptions_ = std::move(exemptions.value());
    policy.options_ = std::move(options);
    return policy;
}

base::Result<ProtocolClass> read_class(std::string_view text) {
    return read_name<ProtocolClass>(text, "protocol class");
}
base::Result<Tier> read_tier(std::string_view text) {
    return read_name<Tier>(text, "tier");
}
base::Result<Outcome> read_outcome(std::string_view text) {
    return read_name<Outcome>(text, "outcome");
}
base::Result<RegistryMatch> read_match(std::string_view text) {
    return read_name<RegistryMatch>(text, "registry match");
}

std::vector<std::string> known_protocols() {
    std::set<std::string> names;
    for (const fingerprint::MatcherEntry& entry : fingerprint::matchers()) {
        names.emplace(entry.info->protocol);
    }
    return {names.begin(), names.end()};
}

}  // namespace flowclass::policy
