// Builds the set table in one pass over the sorted prefixes: the open ones lie on a stack.
#include "registry/covering_set.hpp"

#include <utility>

namespace flowclass::registry {

CoveringSets CoveringSets::build(std::span<const Prefix> prefixes,
                                 std::vector<std::uint32_t> order) {
    CoveringSets table;
    std::vector<std::uint32_t> open;  // set ids of the prefixes around the current one
    const auto prefix_of = [&](std::uint32_t set) -> const Prefix& {
        return prefixes[order[table.sets_[set].first]];
    };
    for (std::uint32_t position = 0; position < order.size(); ++position) {
        const Prefix& prefix = prefixes[order[position]];
        if (!open.empty() && prefix_of(open.back()) == prefix) {
            ++table.sets_[open.back()].count;
            continue;
        }
        while (!open.empty() && (prefix_of(open.back()).address.version != prefix.address.version ||
                                 last_key(prefix_of(open.back())) < first_key(prefix))) {
            open.pop_back();
        }
        const std::uint32_t parent = open.empty() ? kEmptySet : open.back();
        open.push_back(static_cast<std::uint32_t>(table.sets_.size()));
        table.sets_.push_back({parent, position, 1});
    }
    table.order_ = std::move(order);
    return table;
}

std::vector<std::uint32_t> CoveringSets::entries(std::uint32_t set) const {
    std::vector<std::uint32_t> found;
    for_each(set, [&](std::uint32_t entry) { found.push_back(entry); });
    return found;
}

std::vector<PrefixLeaf> CoveringSets::leaves(std::span<const Prefix> prefixes) const {
    std::vector<PrefixLeaf> found;
    found.reserve(sets_.size() - 1);
    for (std::uint32_t set = 1; set < sets_.size(); ++set) {
        found.push_back({prefixes[order_[sets_[set].first]], set});
    }
    return found;
}

}  // namespace flowclass::registry
