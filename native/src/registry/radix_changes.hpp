// Prefixes as the points of the address space where the answer changes: what the tree of
// radix_tree.hpp is built from. Takes: distinct prefixes of one version, sorted by `precedes`, each
// with an id. Gives: the changes in address order. Guarantees: no two at one address, no change to
// the answer that holds already; linear in the prefixes.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "registry/covering_set.hpp"
#include "registry/prefix.hpp"

namespace flowclass::registry {

// From `start` on, up to the next change, the answer is `id`. Before the first change it is 0.
struct Change {
    Key start = 0;
    std::uint32_t id = 0;
};
using Changes = std::span<const Change>;

std::vector<Change> changes_of(std::span<const PrefixLeaf> leaves);

// The changes inside blocks of RadixTree::kBlockBits that are worth a look-up of their own, and
// those that are left when these blocks may answer anything.
struct BlockPlan {
    struct Block {
        std::uint32_t key = 0;    // its first bits
        std::uint32_t id = 0;     // the answer at its first address
        std::uint32_t place = 0;  // in the table: the word of its key, from the table's first on
        std::size_t first = 0;    // of its changes behind the first address
        std::size_t count = 0;
    };
    std::size_t buckets = 1;
    std::vector<Block> blocks;
    std::vector<Change> rest;
};
BlockPlan plan_blocks(Changes changes);

constexpr unsigned common_bits(Key left, Key right) noexcept {
    const Key differing = left ^ right;
    const auto high = static_cast<std::uint64_t>(differing >> 64U);
    const auto low = static_cast<std::uint64_t>(differing);
    return static_cast<unsigned>(high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(low));
}

}  // namespace flowclass::registry
