// A multi-bit radix tree over IPv4 and IPv6 prefixes: popcount-compressed, path-compressed,
// leaf-pushed, immutable. Takes: distinct prefixes, each with an id. Gives: for an address the id
// of the longest prefix that covers it, 0 for none. With the ids of CoveringSets the answer is the
// set of *all* covering entries, so an expired /32 hides no valid /24. Guarantees: an answer for
// every address of either version (no version: 0); find() allocates nothing and never fails.
//
// The whole tree is one array of 32-bit words, without pointers, so that it can be written to a
// file and mapped:
//   words 0 and 1   how many first bits of an address pick a slot of the first level, for IPv4 and
//                   for IPv6: as many as the prefixes need
//   word 2          how many buckets the table of IPv6 blocks has, at least 1; zeros up to word 15
// then the buckets; then one slot of the first level for each value of those bits, IPv4's, then
// IPv6's; then the nodes, children before parents; then kTailWords zeros, so that every node may be
// read kRangeWords wide.
//   bucket  of those blocks of kBlockBits bits that bucket_of() leads to: 8 words with the first
//           bits of a block, 8 words with its slot; 0 is no slot. A block that is in the table is
//           decided there, all others from the first level on, where a block of the table may be
//           answered anyhow. Registrants' prefixes of IPv6 lie in few providers' blocks, which the
//           first level can't tell apart
// A slot is a leaf (top two bits 00: the id itself) or a node (kind in the top two bits, word index
// below):
//   range   for the next 16 bits. Halves of words: an octet n, the number of runs of equal answers
//           but the last (1..15), and an octet with the bits that are used up: 16, or 0 where each
//           slot leads to a range node that decides within its run, for the same bits; the last
//           value of each of those runs; then n + 1 slots
//   dense   for the next 8 bits. 8 words: bit b set where the answer for b differs from that for
//           b - 1; 1 word: four octets, the bits set before each 64; then one slot for each run of
//           equal answers
//   path    1 word: an octet n, the number of bits to compare (1..127), and in its upper half the
//           first 16 of these; the slot when they differ (a leaf); the slot when they are equal;
//           the other bits, left-aligned, in as many words as they fill.
// Bits behind an address's last are 0.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/ip_address.hpp"
#include "base/status.hpp"
#include "registry/covering_set.hpp"

namespace flowclass::registry {

class RadixTree {
  public:
    static constexpr std::uint32_t kIndexBits = 30;
    static constexpr std::uint32_t kMaxId = (1U << kIndexBits) - 1;
    enum class Kind : std::uint32_t { leaf, dense, range, path };
    static constexpr unsigned kDenseBits = 8;
    static constexpr unsigned kRangeBits = 16;
    static constexpr std::size_t kMostBounds = 15;
    static constexpr std::size_t kRangeWords = 8;  // of a range node with all its bounds
    static constexpr unsigned kLeastRootBits = 8;
    static constexpr unsigned kMostRootBits = 20;
    static constexpr std::size_t kHeaderWords = 16;
    static constexpr std::size_t kTailWords = 16;
    static constexpr unsigned kBlockBits = 32;
    static constexpr std::size_t kBucketBlocks = 8;
    static constexpr std::size_t kBucketWords = 2 * kBucketBlocks;

    // Where a block is if it is in a table of so many buckets.
    static constexpr std::size_t bucket_of(std::uint32_t block, std::size_t buckets) noexcept {
        return static_cast<std::uint64_t>(block * 0x9e3779b1U) * buckets >> 32U;
    }

    // Which machine code looks up in bulk: the best this processor has, or that for any.
    enum class Code : std::uint8_t { best, portable };

    RadixTree();

    // `leaves` distinct and sorted by `precedes`, ids in 1..kMaxId. An Error when the tree would
    // not fit its index.
    static base::Result<RadixTree> build(std::span<const PrefixLeaf> leaves);

    // The tree that lies in `words`, which stay where they are. An Error when a slot leads outside
    // them, round in circles, or to an id that is not below `id_count`: after it no address does.
    static base::Result<RadixTree> adopt(std::span<const std::uint32_t> words,
                                         std::size_t id_count);
    // Stands in files that hold words(): to be raised whenever their meaning changes.
    static constexpr std::uint32_t kLayout = 3;

    [[nodiscard]] std::uint32_t find(const base::IpAddress& address) const noexcept;

    // In bulk; `out` is as long as the input. The second form takes IPv4 addresses in host order,
    // the third IPv6 addresses of 16 octets each in network order.
    void find(std::span<const base::IpAddress> addresses,
              std::span<std::uint32_t> out,
              Code code = Code::best) const noexcept;
    void find_v4(std::span<const std::uint32_t> addresses,
                 std::span<std::uint32_t> out,
                 Code code = Code::best) const noexcept;
    void find_v6(std::span<const std::uint8_t> octets,
                 std::span<std::uint32_t> out,
                 Code code = Code::best) const noexcept;

    [[nodiscard]] std::span<const std::uint32_t> words() const noexcept { return words_; }
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return words_.size_bytes(); }
    // Of these the slots in nodes that are ids: the answers themselves. Goes through the tree.
    [[nodiscard]] std::size_t leaf_bytes() const;

  private:
    // Aligned, so that a bucket lies in one line of the cache.
    struct alignas(64) Line {
        std::array<std::uint32_t, 16> words{};
    };
    explicit RadixTree(std::span<const std::uint32_t> words);

    std::shared_ptr<const std::vector<Line>> own_;  // nothing where the words lie elsewhere
    std::span<const std::uint32_t> words_;
};

}  // namespace flowclass::registry
