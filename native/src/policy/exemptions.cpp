// One tree over the prefixes; its answer is the set of all that cover an address.
#include "policy/exemptions.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <utility>

namespace flowclass::policy {

namespace {

constexpr std::size_t kBatch = 256;

}  // namespace

base::Result<Exemptions> Exemptions::build(std::span<const Exemption> given) {
    Exemptions made;
    if (given.empty()) {
        return made;
    }
    std::vector<registry::Prefix> prefixes;
    for (const Exemption& exemption : given) {
        if (!registry::is_valid(exemption.prefix)) {
            return base::Error{"an exemption's prefix has host bits or an impossible length"};
        }
        prefixes.push_back(exemption.prefix);
    }
    std::vector<std::uint32_t> order(prefixes.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](std::uint32_t left, std::uint32_t right) {
        return registry::precedes(prefixes[left], prefixes[right]);
    });
    const auto sets = registry::CoveringSets::build(prefixes, std::move(order));
    base::Result<registry::RadixTree> tree = registry::RadixTree::build(sets.leaves(prefixes));
    if (!tree.ok()) {
        return base::Error{tree.error()};
    }
    made.until_.assign(sets.size(), INT64_MIN);
    for (std::uint32_t set = 1; set < sets.size(); ++set) {
        sets.for_each(set, [&](std::uint32_t entry) {
            made.until_[set] = std::max(made.until_[set], given[entry].until);
        });
    }
    made.tree_ = std::make_shared<const registry::RadixTree>(std::move(tree.value()));
    return made;
}

bool Exemptions::holds(const base::IpAddress& address, base::TimeNs time) const noexcept {
    return tree_ != nullptr && lasts(tree_->find(address), time);
}

void Exemptions::mark(std::span<const base::IpAddress> src,
                      std::span<const base::IpAddress> dst,
                      std::span<const base::TimeNs> time,
                      std::span<std::uint8_t> exempt) const noexcept {
    if (empty()) {
        std::fill(exempt.begin(), exempt.end(), std::uint8_t{0});
        return;
    }
    std::array<std::uint32_t, kBatch> src_sets{};
    std::array<std::uint32_t, kBatch> dst_sets{};
    for (std::size_t first = 0; first < exempt.size(); first += kBatch) {
        const std::size_t count = std::min(kBatch, exempt.size() - first);
        tree_->find(src.subspan(first, count), src_sets);
        tree_->find(dst.subspan(first, count), dst_sets);
        for (std::size_t index = 0; index < count; ++index) {
            const base::TimeNs at = time[first + index];
            exempt[first + index] =
                lasts(src_sets[index], at) || lasts(dst_sets[index], at) ? 1 : 0;
        }
    }
}

}  // namespace flowclass::policy
