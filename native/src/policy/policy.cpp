// judge(): the questions of policy.hpp in their order.
#include "policy/policy.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace flowclass::policy {

namespace {

constexpr std::size_t kBatch = 256;

Reason pending_reason(const MatchFacts& facts,
                      base::TimeNs time,
                      const PolicyOptions& options) noexcept {
    if (!options.pending_grace) {
        return Reason::pending_not_counted;
    }
    if (facts.submitted_at == registry::kNotKnown) {
        return Reason::pending_undated;
    }
    return facts.submitted_at > time ? Reason::not_yet_valid : Reason::pending_overdue;
}

// Why a flow that is neither allowed nor within a pending window is not.
Reason reason_of(const MatchFacts& facts,
                 base::TimeNs time,
                 const PolicyOptions& options) noexcept {
    switch (facts.match) {
        case RegistryMatch::registered:
            return Reason::registered;
        case RegistryMatch::pending:
            return pending_reason(facts, time, options);
        case RegistryMatch::protocol_not_permitted:
            return Reason::protocol_not_permitted;
        case RegistryMatch::not_yet:
            return Reason::not_yet_valid;
        case RegistryMatch::expired:
            return Reason::expired;
        case RegistryMatch::inactive:
            return Reason::inactive;
        case RegistryMatch::out_of_scope:
            return Reason::out_of_scope;
        case RegistryMatch::unregistered:
        case RegistryMatch::count_:
            break;
    }
    return Reason::unregistered;
}

// The window is half open like a validity period: [submitted_at, submitted_at + window).
bool in_pending_window(const MatchFacts& facts,
                       base::TimeNs time,
                       const PolicyOptions& options) noexcept {
    return options.pending_grace && facts.match == RegistryMatch::pending &&
           facts.submitted_at != registry::kNotKnown && facts.submitted_at <= time &&
           time < base::saturating_add(facts.submitted_at, options.pending_window);
}

Tier least_tier(Outcome outcome, const PolicyOptions& options) noexcept {
    return outcome == Outcome::violation ? options.violation_tier : options.violation_trial_tier;
}

bool accuses(Outcome outcome) noexcept {
    return outcome == Outcome::violation || outcome == Outcome::violation_trial;
}

}  // namespace

std::uint16_t Policy::phase_at(base::TimeNs time) const noexcept {
    for (std::size_t index = 0; index < options_.phases.size(); ++index) {
        const Phase& phase = options_.phases[index];
        if (phase.from <= time && (phase.until == registry::kOpenEnd || time < phase.until)) {
            return static_cast<std::uint16_t>(index);
        }
    }
    return kNoPhase;
}

Judgement judge(ProtocolClass protocol_class,
                Tier tier,
                const MatchFacts& facts,
                base::TimeNs time,
                const Policy& policy) noexcept {
    const PolicyOptions& options = policy.options();
    const std::uint16_t phase = policy.phase_at(time);
    if (!policy.counts(protocol_class)) {
        return {Outcome::not_applicable, Reason::class_not_counted, phase};
    }
    if (tier == Tier::none) {
        return {Outcome::not_applicable, Reason::no_evidence, phase};
    }
    if (facts.match == RegistryMatch::out_of_scope) {
        return {Outcome::not_applicable, Reason::out_of_scope, phase};
    }
    if (facts.match == RegistryMatch::registered) {
        return {Outcome::allow, Reason::registered, phase};
    }
    if (facts.exempt) {
        return {Outcome::allow, Reason::exempt, phase};
    }
    if (in_pending_window(facts, time, options)) {
        return {Outcome::allow_grace, Reason::pending_in_window, phase};
    }
    Outcome outcome = phase == kNoPhase ? options.default_outcome : options.phases[phase].outcome;
    Reason reason = reason_of(facts, time, options);
    if (accuses(outcome) && tier < least_tier(outcome, options)) {
        outcome = Outcome::review;
        reason = Reason::tier_below_threshold;
    }
    if (accuses(outcome) && reason == Reason::pending_undated) {
        outcome = Outcome::review;
    }
    if (outcome == Outcome::review && tier < options.review_tier) {
        return {Outcome::not_applicable, Reason::tier_below_threshold, phase};
    }
    return {outcome, reason, phase};
}

void judge(const JudgeColumns& flows, const Policy& policy, std::span<Judgement> out) noexcept {
    std::array<std::uint8_t, kBatch> exempt{};
    for (std::size_t first = 0; first < out.size(); first += kBatch) {
        const std::size_t count = std::min(kBatch, out.size() - first);
        if (!policy.exemptions().empty()) {
            policy.exemptions().mark(flows.src.subspan(first, count),
                                     flows.dst.subspan(first, count),
                                     flows.time.subspan(first, count),
                                     std::span(exempt).first(count));
        }
        for (std::size_t index = 0; index < count; ++index) {
            const std::size_t flow = first + index;
            const registry::FlowMatch& found = flows.match[flow];
            out[flow] = judge(flows.protocol_class[flow],
                              flows.tier[flow],
                              {found.match, found.submitted_at, exempt[index] != 0},
                              flows.time[flow],
                              policy);
        }
    }
}

}  // namespace flowclass::policy
