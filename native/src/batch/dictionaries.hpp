// The closed lists of names that follow from the build: protocols and rules, and where each stands
// in its list.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fingerprint/user_matchers.hpp"

namespace flowclass::batch {

const std::vector<std::string>& protocol_names();  // sorted; "unknown" among them
std::size_t protocol_index(std::uint16_t matcher) noexcept;
const std::vector<std::string>& rule_names();  // of all matchers, sorted
std::size_t rule_index(const fingerprint::Rule* rule) noexcept;

// The same where the caller brought fingerprints: their names stand behind those of the build, as
// they were given.
std::vector<std::string> protocol_names(const fingerprint::UserMatchers* user);
std::size_t protocol_index(std::uint16_t matcher, const fingerprint::UserMatchers* user) noexcept;
std::vector<std::string> rule_names(const fingerprint::UserMatchers* user);
std::size_t rule_index(const fingerprint::Rule* rule,
                       const fingerprint::UserMatchers* user) noexcept;
inline constexpr std::array<const char*, 2> kDirectionNames{"fwd", "rev"};

}  // namespace flowclass::batch
