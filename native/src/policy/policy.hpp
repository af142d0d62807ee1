// The policy: what a finished flow means for the people who run the registry.
// Takes: a flow's class and tier, what the registry said of it, its start time, and the policy.
// Gives: outcome, phase, reason. Guarantees: judge() is a pure total function, without clock,
// allocation or failure; a Policy is immutable once built, so any number of threads may share one.
//
// For an engine:
//     std::shared_ptr<const Policy> policy = ...;                          // one for a run
//     protocol_for_registry = policy->counts(protocol_class) ? protocol : ""   // see registry.hpp
//     policy::judge({classes, tiers, matches, times, sources, destinations}, *policy, judgements);
//     // a batch of ended flows, no allocation
//     policy->phase_name(judgements[i].phase)  // empty where no phase held: a null
//
// The questions, in this order; the first that applies answers:
//     1. the class is not counted, or the tier is none     -> not_applicable  class_not_counted,
//     no_evidence
//     2. neither end is in scope                            -> not_applicable  out_of_scope
//     3. a valid approved entry permits it                  -> allow           registered
//     4. an end lies in an exempt prefix                    -> allow           exempt
//     5. pending, at most the window since it was submitted -> allow_grace     pending_in_window
//     (if pending counts)
//     6. otherwise the outcome of the phase at the flow's start, or the default outcome where no
//     phase holds, with the
//        registry's answer as the reason:
//          a pending entry of unknown submission is at most reviewed: it cannot be shown that its
//          window is over a tier below the least one for violation_trial or violation -> review,
//          tier_below_threshold a tier below the least one for review                       ->
//          not_applicable, tier_below_threshold
//        so that a tier below the threshold is never a violation.
// The phase is that of the flow's start, whatever the outcome. Where phases overlap, one with an
// end wins, then the latest start, then the earliest end.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "base/time.hpp"
#include "fingerprint/contract.hpp"
#include "policy/exemptions.hpp"
#include "registry/registry.hpp"

namespace flowclass::policy {

using fingerprint::ProtocolClass;
using fingerprint::Tier;
using registry::RegistryMatch;

enum class Outcome : std::uint8_t {
    not_applicable,
    allow,
    allow_grace,
    review,
    violation_trial,
    violation,
    count_
};
const char* to_string(Outcome outcome) noexcept;

enum class Reason : std::uint8_t {
    class_not_counted,
    no_evidence,
    out_of_scope,
    registered,
    exempt,
    pending_in_window,
    pending_overdue,
    pending_undated,
    pending_not_counted,
    protocol_not_permitted,
    not_yet_valid,
    expired,
    inactive,
    unregistered,
    tier_below_threshold,
    count_
};
const char* to_string(Reason reason) noexcept;

inline constexpr std::uint16_t kNoPhase = UINT16_MAX;
inline constexpr std::size_t kMaxPhases = 1000;

struct Phase {
    std::string name;
    base::TimeNs from = 0;                    // inclusive
    base::TimeNs until = registry::kOpenEnd;  // exclusive; kOpenEnd = no end
    Outcome outcome = Outcome::allow_grace;   // allow_grace, review, violation_trial or violation
};

struct PolicyOptions {
    std::vector<ProtocolClass> classes{ProtocolClass::vpn};
    Outcome default_outcome = Outcome::allow_grace;  // where no phase holds; as in Phase
    Tier violation_tier = Tier::confirmed;
    Tier violation_trial_tier = Tier::confirmed;
    Tier review_tier = Tier::possible;
    bool pending_grace = true;
    base::TimeNs pending_window = base::kSecond * 3600 * 24;
    std::vector<Phase> phases;
    std::vector<Exemption> exemptions;
};

class Policy {
  public:
    Policy();  // the defaults above: no phase, so everything is allowed or graced

    // An Error says which option is wrong and what is permitted.
    static base::Result<Policy> build(PolicyOptions options);

    [[nodiscard]] bool counts(ProtocolClass protocol_class) const noexcept {
        const auto index = static_cast<std::size_t>(protocol_class);
        return index < counted_.size() && counted_[index];
    }
    [[nodiscard]] std::uint16_t phase_at(base::TimeNs time) const noexcept;
    [[nodiscard]] std::string_view phase_name(std::uint16_t phase) const noexcept {
        return phase < options_.phases.size() ? std::string_view(options_.phases[phase].name)
                                              : std::string_view();
    }
    [[nodiscard]] const Exemptions& exemptions() const noexcept { return exemptions_; }
    [[nodiscard]] const PolicyOptions& options() const noexcept { return options_; }

  private:
    PolicyOptions options_;  // phases in the order in which they win
    std::array<bool, static_cast<std::size_t>(ProtocolClass::count_)> counted_{};
    Exemptions exemptions_;
};

// What the registry, and the policy's own prefixes, said of a flow.
struct MatchFacts {
    RegistryMatch match = RegistryMatch::unregistered;
    base::TimeNs submitted_at = registry::kNotKnown;  // of the deciding entry
    bool exempt = false;                              // an end lies in an exempt prefix
};

struct Judgement {
    Outcome outcome = Outcome::not_applicable;
    Reason reason = Reason::class_not_counted;
    std::uint16_t phase = kNoPhase;
};

Judgement judge(ProtocolClass protocol_class,
                Tier tier,
                const MatchFacts& facts,
                base::TimeNs time,
                const Policy& policy) noexcept;

// A batch of flows, column by column, all of one length.
struct JudgeColumns {
    std::span<const ProtocolClass> protocol_class;
    std::span<const Tier> tier;
    std::span<const registry::FlowMatch> match;
    std::span<const base::TimeNs> time;
    std::span<const base::IpAddress> src;
    std::span<const base::IpAddress> dst;
};
void judge(const JudgeColumns& flows, const Policy& policy, std::span<Judgement> out) noexcept;

// Whether the registry is asked about permitted protocols: of classes that the policy counts;
// without a policy as the usual one would, of VPNs.
inline bool asks_protocol(ProtocolClass protocol_class, const Policy* policy) noexcept {
    return policy != nullptr ? policy->counts(protocol_class)
                             : protocol_class == ProtocolClass::vpn;
}

// Options from texts, as a policy file holds them: an Error names the value and the permitted ones.
base::Result<ProtocolClass> read_class(std::string_view text);
base::Result<Tier> read_tier(std::string_view text);
base::Result<Outcome> read_outcome(std::string_view text);
base::Result<RegistryMatch> read_match(std::string_view text);

// The protocol ids of this build's fingerprints, sorted: what a registration can be limited to.
std::vector<std::string> known_protocols();

}  // namespace flowclass::policy
