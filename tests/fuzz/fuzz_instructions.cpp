// Fuzz target of what has a second machine code for processors that can do more: with either it
// must say the same. SHA-1 of a block, and look-ups in bulk. The wide look-up is compiled by g++
// alone, so there the driver of this folder compares it.
//
//   prefix count(1)  prefixes: version and length(2)  octets kept of the one before(1)  address(16)
//   then blocks of 64 octets, each also four addresses
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/byte_reader.hpp"
#include "base/sha1_block.hpp"
#include "registry/covering_set.hpp"
#include "registry/radix_tree.hpp"

using flowclass::base::ByteReader;
using flowclass::base::Bytes;
using flowclass::base::IpAddress;
using namespace flowclass::registry;

namespace {

constexpr std::size_t kAddress = 16;

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

IpAddress address_of(Key key, bool is_v6) {
    const auto high = static_cast<std::uint64_t>(key >> 64U);
    return is_v6 ? IpAddress::v6(high, static_cast<std::uint64_t>(key))
                 : IpAddress::v4(static_cast<std::uint32_t>(high >> 32U));
}

Key read_key(ByteReader& reader) {
    const std::uint64_t high = reader.be64();
    return make_key(high, reader.be64());
}

// Distinct and in order, as the tree wants them.
std::vector<PrefixLeaf> read_leaves(ByteReader& reader) {
    std::vector<PrefixLeaf> leaves;
    Key before = 0;
    for (unsigned count = reader.u8(); count > 0 && reader.ok(); --count) {
        const bool is_v6 = (reader.u8() & 1U) != 0;
        const unsigned width = is_v6 ? 128 : 32;
        const unsigned length = reader.u8() % (width + 1);
        const unsigned kept = reader.u8() % (width + 1);
        before = (before & ~host_mask(kept)) | (read_key(reader) & host_mask(kept));
        leaves.push_back(
            {{address_of(before & ~host_mask(length), is_v6), static_cast<std::uint8_t>(length)},
             0});
    }
    std::sort(leaves.begin(), leaves.end(), [](const PrefixLeaf& left, const PrefixLeaf& right) {
        return precedes(left.prefix, right.prefix);
    });
    const auto same = [](const PrefixLeaf& left, const PrefixLeaf& right) {
        return left.prefix == right.prefix;
    };
    leaves.erase(std::unique(leaves.begin(), leaves.end(), same), leaves.end());
    std::uint32_t id = 0;
    for (PrefixLeaf& leaf : leaves) {
        leaf.id = ++id;
    }
    return leaves;
}

// What is asked of the tree: the octets as they are, and the ends of its own prefixes.
struct Asked {
    std::vector<IpAddress> any;
    std::vector<std::uint32_t> v4;
    std::vector<std::uint8_t> v6;

    void add(Key key) {
        for (const bool is_v6 : {false, true}) {
            any.push_back(address_of(key, is_v6));
        }
        v4.push_back(static_cast<std::uint32_t>(key >> 96U));
        for (std::size_t octet = 0; octet < kAddress; ++octet) {
            v6.push_back(static_cast<std::uint8_t>(key >> (8 * (kAddress - 1 - octet))));
        }
    }
};

void compare(const RadixTree& tree, const Asked& asked) {
    using enum RadixTree::Code;
    const auto same = [&](std::size_t count, const auto& find) {
        std::vector<std::uint32_t> first(count);
        std::vector<std::uint32_t> second(count);
        find(first, best);
        find(second, portable);
        require(first == second);
    };
    same(asked.any.size(), [&](auto& out, auto code) { tree.find(asked.any, out, code); });
    same(asked.v4.size(), [&](auto& out, auto code) { tree.find_v4(asked.v4, out, code); });
    same(asked.v4.size(), [&](auto& out, auto code) { tree.find_v6(asked.v6, out, code); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace flowclass::base;
    ByteReader reader(Bytes(data, size));
    const std::vector<PrefixLeaf> leaves = read_leaves(reader);
    Asked asked;
    for (const PrefixLeaf& leaf : leaves) {
        asked.add(first_key(leaf.prefix));
        asked.add(last_key(leaf.prefix));
    }
    while (reader.remaining() >= std::tuple_size_v<Sha1Block>) {
        const Bytes octets = reader.bytes(std::tuple_size_v<Sha1Block>);
        Sha1Block block{};
        std::copy(octets.begin(), octets.end(), block.begin());
        require(!has_sha_instructions() || sha1_block_plain(block) == sha1_block_x86(block));
        for (std::size_t begin = 0; begin < block.size(); begin += kAddress) {
            ByteReader key(octets.subspan(begin, kAddress));
            asked.add(read_key(key));
        }
    }
    const auto tree = RadixTree::build(leaves);
    require(tree.ok());
    compare(tree.value(), asked);
    return 0;
}
