// What the tree does for blocks of IPv6 and for nodes with many runs: the table of buckets where it
// is full, blocks at both ends of the space, prefixes around blocks, range nodes over range nodes;
// each against a scan over all prefixes. And what of its memory are answers.
#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "check.hpp"
#include "registry/covering_set.hpp"
#include "registry/radix_tree.hpp"

namespace {

using flowclass::base::IpAddress;
using namespace flowclass::registry;

IpAddress v6(std::uint32_t block, std::uint32_t rest, std::uint64_t low = 0) {
    return IpAddress::v6(std::uint64_t{block} << 32U | rest, low);
}

std::vector<PrefixLeaf> leaves_of(std::vector<Prefix> prefixes) {
    std::sort(prefixes.begin(), prefixes.end(), precedes);
    prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
    std::vector<PrefixLeaf> leaves;
    for (const Prefix& prefix : prefixes) {
        leaves.push_back({prefix, static_cast<std::uint32_t>(leaves.size() + 1)});
    }
    return leaves;
}

std::uint32_t scan(const std::vector<PrefixLeaf>& leaves, const IpAddress& address) {
    std::uint32_t found = 0;
    for (const PrefixLeaf& leaf : leaves) {  // the last that covers is the longest
        if (leaf.prefix.address.version == address.version &&
            first_key(leaf.prefix) <= key_of(address) && key_of(address) <= last_key(leaf.prefix)) {
            found = leaf.id;
        }
    }
    return found;
}

// The ends of each prefix and their neighbours.
std::vector<IpAddress> edges(const std::vector<PrefixLeaf>& leaves) {
    std::vector<IpAddress> found;
    for (const PrefixLeaf& leaf : leaves) {
        for (const Key end : {first_key(leaf.prefix), last_key(leaf.prefix)}) {
            const bool four = leaf.prefix.address.version == 4;
            const Key step = four ? Key{1} << 96U : Key{1};
            for (const Key key : {end - step, end, end + step}) {
                const auto high = static_cast<std::uint64_t>(key >> 64U);
                found.push_back(four ? IpAddress::v4(static_cast<std::uint32_t>(high >> 32U))
                                     : IpAddress::v6(high, static_cast<std::uint64_t>(key)));
            }
        }
    }
    return found;
}

RadixTree compare(std::vector<Prefix> prefixes) {
    const std::vector<PrefixLeaf> leaves = leaves_of(std::move(prefixes));
    auto tree = RadixTree::build(leaves);
    CHECK(tree.ok());
    const std::vector<IpAddress> addresses = edges(leaves);
    std::vector<std::uint32_t> found(addresses.size());
    tree.value().find(addresses, found);
    for (std::size_t index = 0; index < addresses.size(); ++index) {
        const std::uint32_t expected = scan(leaves, addresses[index]);
        CHECK_EQ(found[index], expected);
        CHECK_EQ(tree.value().find(addresses[index]), expected);
    }
    CHECK(RadixTree::adopt(tree.value().words(), leaves.size() + 1).ok());
    return std::move(tree.value());
}

}  // namespace

TEST(radix_blocks_of_a_full_bucket) {
    // Of 40 blocks and so 11 buckets, 20 in the first one.
    std::vector<Prefix> prefixes;
    std::size_t in_first = 0;
    for (std::uint32_t block = 0x20010000; prefixes.size() < 80; ++block) {
        const bool is_first = RadixTree::bucket_of(block, 11) == 0;
        if (is_first ? in_first < 20 : prefixes.size() / 2 - in_first < 20) {
            in_first += is_first ? 1U : 0U;
            prefixes.push_back({v6(block, 0x50000), 48});
            prefixes.push_back({v6(block, 0x50000, 7), 128});
        }
    }
    prefixes.push_back({v6(0x20010000, 0), 20});
    const RadixTree tree = compare(std::move(prefixes));
    CHECK_EQ(tree.words()[2], 11U);
}

TEST(radix_blocks_at_the_ends_of_the_space) {
    for (const unsigned length : {0U, 1U, 31U, 32U, 33U}) {
        const auto around = static_cast<std::uint8_t>(length);
        std::vector<Prefix> prefixes{{v6(0, 0), 64},
                                     {v6(0, 0), 32},
                                     {v6(0xffffffff, 0), 32},
                                     {v6(0xffffffff, 0xffffffff, ~0ULL), 128},
                                     {v6(0x7fffffff, 0xffff0000), 48},
                                     {v6(0x80000000, 0), 48}};
        prefixes.push_back({v6(0, 0), around});
        prefixes.push_back({v6(around == 0 ? 0 : 0x80000000, 0), around});
        compare(std::move(prefixes));
    }
}

TEST(radix_blocks_beside_each_other_under_wider_ones) {
    std::mt19937_64 random(3);
    for (int round = 0; round < 30; ++round) {
        std::vector<Prefix> prefixes;
        for (int count = 0; count < 60; ++count) {
            const auto length = static_cast<unsigned>(24 + random() % 26);
            const Key key = make_key(0x2001000000000000ULL | (random() & 0xfff0007ULL) << 16U, 0) &
                            ~host_mask(length);
            prefixes.push_back({IpAddress::v6(static_cast<std::uint64_t>(key >> 64U), 0),
                                static_cast<std::uint8_t>(length)});
        }
        compare(std::move(prefixes));
    }
}

// From one range node over two of them to a dense one, in IPv4 and within a block.
TEST(radix_nodes_with_many_runs) {
    for (const std::uint32_t count : {7U, 8U, 9U, 16U, 60U, 127U, 128U, 129U, 200U}) {
        std::vector<Prefix> prefixes;
        for (std::uint32_t net = 0; net < count; ++net) {
            const std::uint32_t spread = net * 321U % 65536U;
            prefixes.push_back({IpAddress::v4(0xc6330000U | spread), 32});
            prefixes.push_back({v6(0x20010db8, spread << 16U), 48});
            if (net % 3 == 0) {
                prefixes.push_back({v6(0x20010db8, spread << 16U | 0x12U, 5), 128});
            }
        }
        compare(std::move(prefixes));
    }
}

TEST(radix_memory_of_answers) {
    CHECK_EQ(RadixTree().leaf_bytes(), 0U);
    // In its slot of the first level one host of IPv4: one node, two runs before and behind it
    // that are equal.
    const auto one = RadixTree::build(leaves_of({{IpAddress::v4(0x01020304), 32}}));
    CHECK(one.ok());
    CHECK_EQ(one.value().leaf_bytes(), 3 * sizeof(std::uint32_t));
    CHECK(one.value().memory_bytes() > one.value().leaf_bytes());
}
