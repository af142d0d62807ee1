// Flows that were finished before, judged again: registry and policy over columns as files hold
// them.
// Takes: addresses as texts, times, protocols, classes and tiers, a registry, and a policy or none.
// Gives: what a run with that registry and policy would have said of each flow. Guarantees: every
// value is held against its list, so a column from a hostile file gives an Error and nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "base/time.hpp"
#include "policy/policy.hpp"
#include "registry/registry.hpp"

namespace flowclass::policy {

// Texts one after the other; `ends` has one more than there are texts: where each begins, and the
// last's end.
struct Texts {
    std::span<const std::int32_t> ends;
    std::string_view text;

    [[nodiscard]] std::size_t size() const noexcept { return ends.empty() ? 0 : ends.size() - 1; }
};

// All of one length. Classes and tiers are numbered as in ProtocolClass and Tier, protocols as in
// `protocol_names`.
struct FinishedFlows {
    Texts src;
    Texts dst;
    std::span<const base::TimeNs> time;
    std::span<const std::int32_t> protocol;
    std::span<const std::string> protocol_names;
    std::span<const std::uint8_t> protocol_class;
    std::span<const std::uint8_t> tier;
};

struct JudgedColumns {
    std::vector<std::uint32_t> entry;  // registry::kNoEntry: none decided
    std::vector<std::uint8_t> match;   // RegistryMatch
    std::vector<std::uint8_t> end;     // MatchedEnd
    // Empty without a policy.
    std::vector<std::uint8_t> outcome;
    std::vector<std::uint8_t> reason;
    std::vector<std::uint16_t> phase;  // kNoPhase: none
};

// `policy` may be null: then the registry alone is asked. An Error says which row is wrong and why.
base::Result<JudgedColumns> judge_finished(const FinishedFlows& flows,
                                           const registry::Registry& registry,
                                           const Policy* policy);

}  // namespace flowclass::policy
