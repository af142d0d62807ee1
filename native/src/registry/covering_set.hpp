// The table of covering sets: for each distinct prefix, the set of all entries whose prefix covers
// it. Takes: the prefixes of all entries. Gives: set ids, and the entries of a set. Guarantees: id
// 0 is the empty set; two ids never name the same set; the entries of a set come longest prefix
// first and, within one prefix, in the order given to build().
//
// A set is stored as what its own prefix adds plus the set of the next shorter covering prefix.
// Every distinct prefix brings at least one entry of its own, so sets are distinct by construction,
// and the table is linear in the entries however deep they nest (flat lists would be quadratic in
// the depth).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "registry/array.hpp"
#include "registry/prefix.hpp"

namespace flowclass::registry {

inline constexpr std::uint32_t kEmptySet = 0;

// A distinct prefix and what the tree is to answer for addresses of which it is the longest.
struct PrefixLeaf {
    Prefix prefix;
    std::uint32_t id = 0;
};

// What the prefix of a set adds to the set of the next shorter covering prefix.
struct CoveringSet {
    std::uint32_t parent = kEmptySet;  // always a smaller id
    std::uint32_t first = 0;           // into the order of entries
    std::uint32_t count = 0;
};

class CoveringSets {
  public:
    CoveringSets() : sets_(std::vector<CoveringSet>(1)) {}

    // `order` lists entry indexes sorted by `precedes` over their prefixes.
    static CoveringSets build(std::span<const Prefix> prefixes, std::vector<std::uint32_t> order);

    // The table that lies in two arrays, which stay where they are. An Error where a set names an
    // entry not below `lengths.size()`, or a set around it whose prefix is not shorter, by the
    // lengths of the entries' prefixes.
    static base::Result<CoveringSets> adopt(std::span<const CoveringSet> sets,
                                            std::span<const std::uint32_t> order,
                                            std::span<const std::uint8_t> lengths);

    [[nodiscard]] std::size_t size() const noexcept { return sets_.size(); }
    [[nodiscard]] std::span<const CoveringSet> sets() const noexcept { return sets_; }
    [[nodiscard]] std::span<const std::uint32_t> order() const noexcept { return order_; }

    // Calls visit(entry index) for each entry of the set; an id that is not in the table is empty.
    template <typename Visit>
    void for_each(std::uint32_t set, Visit&& visit) const {
        while (set != kEmptySet && set < sets_.size()) {
            const CoveringSet& current = sets_[set];
            for (std::uint32_t index = 0; index < current.count; ++index) {
                visit(order_[current.first + index]);
            }
            set = current.parent;
        }
    }
    [[nodiscard]] std::vector<std::uint32_t> entries(std::uint32_t set) const;

    // The distinct prefixes in order of `precedes`, each with its set: what the tree is built from.
    [[nodiscard]] std::vector<PrefixLeaf> leaves(std::span<const Prefix> prefixes) const;

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return sets_.memory_bytes() + order_.memory_bytes();
    }

  private:
    Array<CoveringSet> sets_;
    Array<std::uint32_t> order_;
};

}  // namespace flowclass::registry
