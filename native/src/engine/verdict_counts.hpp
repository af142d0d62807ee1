// How many flows got which verdict: what a summary needs, counted as flows end. Takes: one key a
// flow. Gives: the keys that came and their counts, in the order of their first coming.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/kept_names.hpp"
#include "fingerprint/match.hpp"
#include "policy/policy.hpp"
#include "registry/registry.hpp"

namespace flowclass::engine {

struct VerdictKey {
    std::uint16_t matcher = fingerprint::kNoMatcher;  // kNoMatcher = unknown
    fingerprint::Tier tier = fingerprint::Tier::none;
    std::optional<registry::RegistryMatch> match;  // where a registry was given
    std::optional<policy::Outcome> outcome;        // where a policy was given
    std::string_view variant;                      // empty: none

    template <typename Archive>
    void keep(Archive& archive);

    friend bool operator==(const VerdictKey&, const VerdictKey&) noexcept = default;
};

struct VerdictCount {
    VerdictKey key;
    std::uint64_t flows = 0;
};

class VerdictCounts {
  public:
    void add(const VerdictKey& key, std::uint64_t flows) {
        const auto [place, is_new] = places_.try_emplace(key, rows_.size());
        if (is_new) {
            rows_.push_back({key, 0});
        }
        rows_[place->second].flows += flows;
    }
    template <typename Archive>
    void keep(Archive& archive);

    [[nodiscard]] const std::vector<VerdictCount>& rows() const noexcept { return rows_; }

  private:
    struct Hash {
        std::size_t operator()(const VerdictKey& key) const noexcept {
            constexpr std::size_t kEach = 16;  // more than any of the closed lists has
            const auto number = [](const auto& value) {
                return value ? static_cast<std::size_t>(*value) + 1 : 0;
            };
            std::size_t sum = key.matcher;
            sum = sum * kEach + static_cast<std::size_t>(key.tier);
            sum = sum * kEach + number(key.match);
            sum = sum * kEach + number(key.outcome);
            return sum * kEach + key.variant.size();
        }
    };
    std::unordered_map<VerdictKey, std::size_t, Hash> places_;
    std::vector<VerdictCount> rows_;
};

template <typename Archive>
void VerdictKey::keep(Archive& archive) {
    std::uint16_t number = variant_number(variant);
    bool is_matched = match.has_value();
    bool is_judged = outcome.has_value();
    archive(matcher, tier, number, is_matched, is_judged);
    archive.require(matcher == fingerprint::kNoMatcher || matcher < fingerprint::matchers().size());
    variant = variant_of(number);
    if (is_matched) {
        archive(match.emplace(match.value_or(registry::RegistryMatch{})));
    }
    if (is_judged) {
        archive(outcome.emplace(outcome.value_or(policy::Outcome{})));
    }
}

template <typename Archive>
void VerdictCounts::keep(Archive& archive) {
    constexpr std::size_t kMost = std::size_t{1} << 20U;
    constexpr std::size_t kLeastOctets = 15;
    const std::size_t count = archive.count(rows_.size(), kMost, kLeastOctets);
    for (std::size_t index = 0; archive.ok() && index < count; ++index) {
        VerdictCount row = Archive::kLoads ? VerdictCount() : rows_[index];
        archive(row.key, row.flows);
        if constexpr (Archive::kLoads) {
            add(row.key, row.flows);
        }
    }
}

}  // namespace flowclass::engine
