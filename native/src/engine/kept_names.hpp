// Numbers of what a verdict names, for a checkpoint. Takes: a rule, a variant, as the fingerprints
// of this build publish them. Gives: a number that is the same in every build with the same rules,
// and the rule or variant again; kNoName for what is not published and for an empty text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fingerprint/link.hpp"

namespace flowclass::engine {

inline constexpr std::uint16_t kNoName = 0xffff;

std::uint16_t rule_number(const fingerprint::Rule* rule) noexcept;
const fingerprint::Rule* rule_of(std::uint16_t number) noexcept;  // nullptr: there is none

std::uint16_t variant_number(std::string_view variant) noexcept;
std::string_view variant_of(std::uint16_t number) noexcept;  // empty: there is none

// From 1; 0 for none.
inline std::uint8_t link_rule_number(const fingerprint::LinkRule* rule) noexcept {
    std::uint8_t number = 0;
    for (const fingerprint::LinkRule& each : fingerprint::kLinkRules) {
        ++number;
        if (&each == rule) {
            return number;
        }
    }
    return 0;
}
inline const fingerprint::LinkRule* link_rule_of(std::uint8_t number) noexcept {
    return number > 0 && number <= fingerprint::kLinkRules.size()
               ? &fingerprint::kLinkRules[number - 1U]
               : nullptr;
}

}  // namespace flowclass::engine
