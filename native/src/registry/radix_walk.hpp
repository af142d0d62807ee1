// The steps of a look-up in the tree of radix_tree.hpp, one node at a time, for radix_find.cpp
// alone. Takes: words that were built or checked, and what is left of an address. Gives: the next
// slot. Guarantees: the word index of a slot comes from the builder, never from an address; no step
// has a branch that depends on the address. All is inlined, so that it is compiled for the
// processor that its caller is compiled for.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "registry/radix_tree.hpp"

// The one place, with radix_find.cpp, that walks the tree's words by pointers.
// NOLINTBEGIN(cppcoreguidelines-pro-bounds-pointer-arithmetic)

namespace flowclass::registry {

using Kind = RadixTree::Kind;
using Words = const std::uint32_t*;

[[gnu::always_inline]] inline bool is_leaf(std::uint32_t slot) noexcept {
    return slot >> RadixTree::kIndexBits == static_cast<std::uint32_t>(Kind::leaf);
}

// A walk is what is left of an address, left-aligned.
template <typename Walk>
[[gnu::always_inline]] inline std::uint32_t next_bits(Walk walk, unsigned bits) noexcept {
    return static_cast<std::uint32_t>(walk >> (8 * sizeof(Walk) - bits));
}

// Moves a walk on by less than 64 bits; the wide one by halves, because the compiler would ask
// whether it is by more, and processors of AMD take six steps for a shift over two registers.
[[gnu::always_inline]] inline void move_on(std::uint64_t& walk, unsigned bits) noexcept {
    walk <<= bits;
}
[[gnu::always_inline]] inline void move_on(Key& walk, unsigned bits) noexcept {
    const auto low = static_cast<std::uint64_t>(walk);
    auto high = static_cast<std::uint64_t>(walk >> 64U);
    high = high << bits | low >> 1U >> (63U - bits);
    walk = static_cast<Key>(high) << 64U | low << bits;
}

// The bits that a path node compares: 16 in its first word, the others behind its slots.
template <typename Walk>
[[gnu::always_inline]] inline Walk path_value(Words node) noexcept {
    Walk value = 0;
    for (std::size_t word = 3; word < 3 + sizeof(Walk) / 4; ++word) {
        value = value << 32U | node[word];
    }
    return value >> 16U | static_cast<Walk>(node[0] >> 16U) << (8 * sizeof(Walk) - 16);
}

// Eight halves of words side by side; comparing them gives all bits set where it holds.
using Lanes [[gnu::vector_size(16)]] = std::uint16_t;
constexpr std::size_t kLaneWords = sizeof(Lanes) / sizeof(std::uint32_t);

[[gnu::always_inline]] inline Lanes lanes_at(Words words) noexcept {
    Lanes lanes;
    std::memcpy(&lanes, words, sizeof(lanes));
    return lanes;
}

// How many of a range node's `count` bounds lie below `piece`: behind so many runs is its slot. All
// are compared at once; what lies behind the last one counts for nothing. For any processor;
// radix_find.cpp has another way for one kind.
struct AnyBounds {
    [[gnu::always_inline]] static std::uint64_t below(Words node,
                                                      std::uint16_t piece,
                                                      std::uint32_t count) noexcept {
        constexpr Lanes kFirstPlaces{UINT16_MAX, 0, 1, 2, 3, 4, 5, 6};
        constexpr Lanes kLastPlaces{7, 8, 9, 10, 11, 12, 13, 14};
        const auto most = static_cast<std::uint16_t>(count);
        const auto first_below = (lanes_at(node) < piece) & (kFirstPlaces < most);
        const auto last_below = (lanes_at(node + kLaneWords) < piece) & (kLastPlaces < most);
        const auto below = std::bit_cast<std::array<std::uint64_t, 2>>(-(first_below + last_below));
        // At most four in each quarter of the sum; the multiplication adds the quarters in its top
        // one.
        return ((below[0] + below[1]) * 0x0001000100010001ULL) >> 48U;
    }
};

using Four [[gnu::vector_size(16)]] = std::uint32_t;
using Halves [[gnu::vector_size(16)]] = std::uint64_t;

[[gnu::always_inline]] inline Four four_at(Words words) noexcept {
    Four four;
    std::memcpy(&four, words, sizeof(four));
    return four;
}

// The slot of a block in its bucket; 0 where it is not there.
[[gnu::always_inline]] inline std::uint32_t block_slot(Words bucket, std::uint32_t block) noexcept {
    static_assert(RadixTree::kBucketBlocks == 8);
    const Words slots = bucket + RadixTree::kBucketBlocks;
    const auto first = std::bit_cast<Four>(four_at(bucket) == block) & four_at(slots);
    const auto last = std::bit_cast<Four>(four_at(bucket + 4) == block) & four_at(slots + 4);
    const auto halves = std::bit_cast<Halves>(first | last);
    const std::uint64_t either = halves[0] | halves[1];
    return static_cast<std::uint32_t>(either | either >> 32U);
}

template <Kind kind, typename Bounds, typename Walk>
[[gnu::always_inline]] inline std::uint32_t step(Words words,
                                                 std::uint32_t slot,
                                                 Walk& walk) noexcept {
    const Words node = words + (slot & RadixTree::kMaxId);
    if constexpr (kind == Kind::range) {
        const auto piece = static_cast<std::uint16_t>(next_bits(walk, RadixTree::kRangeBits));
        const std::uint32_t head = node[0];
        move_on(walk, head >> 8U & RadixTree::kRangeBits);
        const std::uint32_t count = head & 0xffU;
        return node[count / 2U + 1U + Bounds::below(node, piece, count)];
    } else if constexpr (kind == Kind::path) {
        const unsigned bits = node[0] & 0xffU;
        const bool equal = (walk ^ path_value<Walk>(node)) >> (8 * sizeof(Walk) - bits) == 0;
        walk <<= bits;
        return node[equal ? 2 : 1];
    } else {
        const std::uint32_t octet = next_bits(walk, RadixTree::kDenseBits);
        move_on(walk, RadixTree::kDenseBits);
        const std::size_t word = octet / 64U;
        const std::uint64_t bits = node[2 * word] | static_cast<std::uint64_t>(node[2 * word + 1])
                                                        << 32U;
        const std::uint32_t before = node[8] >> (8 * word) & 0xffU;
        return node[9 + before +
                    static_cast<std::uint32_t>(std::popcount(bits << (63U - octet % 64U)))];
    }
}

template <typename Walk>
[[gnu::always_inline]] inline std::uint32_t any_step(Words words,
                                                     std::uint32_t slot,
                                                     Walk& walk) noexcept {
    switch (static_cast<Kind>(slot >> RadixTree::kIndexBits)) {
        case Kind::range:
            return step<Kind::range, AnyBounds>(words, slot, walk);
        case Kind::path:
            return step<Kind::path, AnyBounds>(words, slot, walk);
        default:
            return step<Kind::dense, AnyBounds>(words, slot, walk);
    }
}

[[gnu::always_inline]] inline void prefetch(Words words, std::size_t index) noexcept {
    __builtin_prefetch(words + index);
}

// A node and, in the next line of the cache, its slots; for a leaf the header, without a branch
// that a processor could guess wrongly.
[[gnu::always_inline]] inline void prefetch_node(Words words, std::uint32_t slot) noexcept {
    const std::uint32_t is_node = slot > RadixTree::kMaxId ? 1U : 0U;
    const std::size_t node = slot & RadixTree::kMaxId & (0U - is_node);
    prefetch(words, node);
    prefetch(words, node + 16);
}

// Where a look-up begins: the word of its slot in the first level, and what is left of the address
// behind the bits that picked it.
struct Start {
    std::uint64_t walk;
    std::uint32_t root;
};
// With a bucket to be asked before; `walk` is the whole address.
struct WideStart {
    Key walk;
    std::uint32_t root;
    std::uint32_t bucket;
};

// The slot in the bucket or, where the block is not there, that of the first level; the walk is
// moved on by what is used up, the first level's `used` bits or the block's.
[[gnu::always_inline]] inline std::uint32_t first_slot(
    Words words, std::uint32_t root, std::uint32_t bucket, unsigned used, Key& walk) noexcept {
    const std::uint32_t slot = block_slot(words + bucket, next_bits(walk, RadixTree::kBlockBits));
    const std::uint32_t missing = slot == 0 ? ~0U : 0U;
    move_on(walk, RadixTree::kBlockBits - ((RadixTree::kBlockBits - used) & missing & 31U));
    return slot | (words[root] & missing);
}

}  // namespace flowclass::registry

// NOLINTEND(cppcoreguidelines-pro-bounds-pointer-arithmetic)
