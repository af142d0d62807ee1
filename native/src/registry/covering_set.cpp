// Builds the set table in one pass over the sorted prefixes: the open ones lie on a stack. Checks
// one that came from a file.
#include "registry/covering_set.hpp"

#include <algorithm>
#include <utility>

namespace flowclass::registry {

CoveringSets CoveringSets::build(std::span<const Prefix> prefixes,
                                 std::vector<std::uint32_t> order) {
    std::vector<CoveringSet> sets(1);
    std::vector<std::uint32_t> open;  // set ids of the prefixes around the current one
    const auto prefix_of = [&](std::uint32_t set) -> const Prefix& {
        return prefixes[order[sets[set].first]];
    };
    for (std::uint32_t position = 0; position < order.size(); ++position) {
        const Prefix& prefix = prefixes[order[position]];
        if (!open.empty() && prefix_of(open.back()) == prefix) {
            ++sets[open.back()].count;
            continue;
        }
        while (!open.empty() && (prefix_of(open.back()).address.version != prefix.address.version ||
                                 last_key(prefix_of(open.back())) < first_key(prefix))) {
            open.pop_back();
        }
        const std::uint32_t parent = open.empty() ? kEmptySet : open.back();
        open.push_back(static_cast<std::uint32_t>(sets.size()));
        sets.push_back({parent, position, 1});
    }
    CoveringSets table;
    table.sets_ = std::move(sets);
    table.order_ = std::move(order);
    return table;
}

base::Result<CoveringSets> CoveringSets::adopt(std::span<const CoveringSet> sets,
                                               std::span<const std::uint32_t> order,
                                               std::span<const std::uint8_t> lengths) {
    const std::size_t entries = lengths.size();
    if (sets.empty() || sets[0].count != 0 || order.size() != entries ||
        !std::all_of(
            order.begin(), order.end(), [&](std::uint32_t entry) { return entry < entries; })) {
        return base::Error{"the sets of entries name what is not there"};
    }
    for (std::size_t id = 1; id < sets.size(); ++id) {
        const CoveringSet& set = sets[id];
        if (set.count == 0 || set.first >= entries || entries - set.first < set.count ||
            set.parent >= id) {
            return base::Error{"a set of entries names what is not there"};
        }
        // So that no chain of sets is longer than a prefix has bits.
        if (set.parent != kEmptySet &&
            lengths[order[sets[set.parent].first]] >= lengths[order[set.first]]) {
            return base::Error{"a set of entries lies in one that does not cover it"};
        }
    }
    CoveringSets table;
    table.sets_ = Array<CoveringSet>::looking_at(sets);
    table.order_ = Array<std::uint32_t>::looking_at(order);
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
