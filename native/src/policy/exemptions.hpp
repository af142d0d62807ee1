// Prefixes whose flows the policy lets be, each for a time.
// Takes: prefixes and when their exemptions end. Gives: for an address and a time whether an
// exemption covers it. Guarantees: immutable; of nested prefixes the one that lasts longest counts,
// so a short one hides no long one; looking up allocates nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.hpp"
#include "base/time.hpp"
#include "registry/radix_tree.hpp"
#include "registry/registry.hpp"

namespace flowclass::policy {

struct Exemption {
    registry::Prefix prefix;
    base::TimeNs until = registry::kOpenEnd;  // exclusive; kOpenEnd = no end
};

class Exemptions {
  public:
    Exemptions() = default;  // none

    static base::Result<Exemptions> build(std::span<const Exemption> given);

    [[nodiscard]] bool empty() const noexcept { return tree_ == nullptr; }
    [[nodiscard]] bool holds(const base::IpAddress& address, base::TimeNs time) const noexcept;

    // In bulk: 1 for each flow with an exempt end. All of one length.
    void mark(std::span<const base::IpAddress> src,
              std::span<const base::IpAddress> dst,
              std::span<const base::TimeNs> time,
              std::span<std::uint8_t> exempt) const noexcept;

  private:
    [[nodiscard]] bool lasts(std::uint32_t set, base::TimeNs time) const noexcept {
        return set != registry::kEmptySet &&
               (until_[set] == registry::kOpenEnd || time < until_[set]);
    }

    std::shared_ptr<const registry::RadixTree> tree_;
    std::vector<base::TimeNs> until_;  // of each covering set, the latest
};

}  // namespace flowclass::policy
