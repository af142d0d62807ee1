// Lists are made once, at first use, and never change.
#include "engine/kept_names.hpp"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "fingerprint/match.hpp"

namespace flowclass::engine {

namespace {

struct Names {
    std::vector<const fingerprint::Rule*> rules;  // by id, each once
    std::vector<std::string_view> variants;       // in order, each once
    std::unordered_map<const fingerprint::Rule*, std::uint16_t> rule_numbers;

    Names() {
        std::vector<const fingerprint::Rule*> all;
        for (const fingerprint::MatcherEntry& matcher : fingerprint::matchers()) {
            all.insert(all.end(), matcher.info->rules.begin(), matcher.info->rules.end());
            variants.insert(
                variants.end(), matcher.info->variants.begin(), matcher.info->variants.end());
        }
        const auto by_id = [](const auto* left, const auto* right) { return left->id < right->id; };
        const auto same = [](const auto* left, const auto* right) { return left->id == right->id; };
        rules = all;
        std::stable_sort(rules.begin(), rules.end(), by_id);
        rules.erase(std::unique(rules.begin(), rules.end(), same), rules.end());
        for (const fingerprint::Rule* rule : all) {
            const auto found = std::lower_bound(rules.begin(), rules.end(), rule, by_id);
            rule_numbers.emplace(rule, static_cast<std::uint16_t>(found - rules.begin()));
        }
        std::sort(variants.begin(), variants.end());
        variants.erase(std::unique(variants.begin(), variants.end()), variants.end());
    }
};

const Names& names() {
    static const Names built;
    return built;
}

}  // namespace

std::uint16_t rule_number(const fingerprint::Rule* rule) noexcept {
    const auto found = names().rule_numbers.find(rule);
    return found == names().rule_numbers.end() ? kNoName : found->second;
}

const fingerprint::Rule* rule_of(std::uint16_t number) noexcept {
    const auto& rules = names().rules;
    return number < rules.size() ? rules[number] : nullptr;
}

std::uint16_t variant_number(std::string_view variant) noexcept {
    const auto& variants = names().variants;
    const auto found = std::lower_bound(variants.begin(), variants.end(), variant);
    return found == variants.end() || *found != variant || variant.empty()
               ? kNoName
               : static_cast<std::uint16_t>(found - variants.begin());
}

std::string_view variant_of(std::uint16_t number) noexcept {
    const auto& variants = names().variants;
    return number < variants.size() ? variants[number] : std::string_view();
}

}  // namespace flowclass::engine
