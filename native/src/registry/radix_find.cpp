// Looks addresses up in the tree of radix_tree.hpp: a group of them step by step together, each
// next node prefetched while the others step. The word index of a slot comes from the builder
// alone, never from an address.
#include <algorithm>
#include <array>
#include <bit>

#include "base/byte_reader.hpp"
#include "registry/radix_tree.hpp"

namespace flowclass::registry {

namespace {

using Kind = RadixTree::Kind;
using Words = const std::uint32_t*;

constexpr std::size_t kGroup = 32;

// What is left of an address, left-aligned, and where it stands.
struct Walk {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    void drop(unsigned bits) noexcept {  // 1..56
        high = high << bits | low >> (64U - bits);
        low <<= bits;
    }
};

constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
constexpr std::uint64_t kTops = 0x8080808080808080ULL;

// How many of the eight octets of `bounds` are less than `octet`.
constexpr std::uint32_t count_less(std::uint64_t bounds, std::uint64_t octet) noexcept {
    const std::uint64_t spread = octet * kOnes;
    const std::uint64_t difference = (bounds | kTops) - (spread & ~kTops);
    const std::uint64_t at_least = ((bounds & ~spread) | (~(bounds ^ spread) & difference)) & kTops;
    return 8U - static_cast<std::uint32_t>(((at_least >> 7U) * kOnes) >> 56U);
}

inline std::uint64_t two_words(std::span<const std::uint32_t> words, std::size_t index) noexcept {
    return words[index] | static_cast<std::uint64_t>(words[index + 1]) << 32U;
}

inline bool is_leaf(std::uint32_t slot) noexcept {
    return slot >> RadixTree::kIndexBits == static_cast<std::uint32_t>(Kind::leaf);
}

inline std::uint32_t step(std::span<const std::uint32_t> words,
                          std::uint32_t slot,
                          Walk& walk) noexcept {
    const std::size_t node = slot & RadixTree::kMaxId;
    const auto kind = static_cast<Kind>(slot >> RadixTree::kIndexBits);
    if (kind == Kind::path) {
        const unsigned bits = words[node];
        const std::uint64_t value =
            static_cast<std::uint64_t>(words[node + 3]) << 32U | words[node + 4];
        const bool equal = (walk.high ^ value) >> (64U - bits) == 0;
        walk.drop(bits);
        return words[node + (equal ? 2 : 1)];
    }
    const std::uint64_t octet = walk.high >> 56U;
    walk.drop(8);
    if (kind == Kind::sparse) {
        return words[node + 2 + count_less(two_words(words, node), octet)];
    }
    const std::size_t word = octet / 64U;
    const std::uint64_t upto = two_words(words, node + 2 * word) << (63U - octet % 64U);
    const std::uint32_t before = words[node + 8] >> (8 * word) & 0xffU;
    return words[node + 9 + before + static_cast<std::uint32_t>(std::popcount(upto))];
}

inline void prefetch(std::span<const std::uint32_t> words, std::size_t index) noexcept {
    __builtin_prefetch(&words[index]);
}

// `source(i)` gives the i-th address as {walk, index of its root slot}; a root index of kNoRoot
// answers 0.
struct Start {
    Walk walk;
    std::size_t root = 0;
};
constexpr std::size_t kNoRoot = SIZE_MAX;

Start start_of(const base::IpAddress& address) noexcept {
    if (address.version == 4) {
        return {{address.low << 48U, 0}, static_cast<std::size_t>(address.low >> 16U & 0xffffU)};
    }
    if (address.version != 6) {
        return {{}, kNoRoot};
    }
    Start start{{address.high, address.low},
                RadixTree::kRootSlots + static_cast<std::size_t>(address.high >> 48U)};
    start.walk.drop(16);
    return start;
}

template <typename Source>
inline void find_all(std::span<const std::uint32_t> words,
                     std::span<std::uint32_t> out,
                     const Source& source) noexcept {
    std::array<Start, kGroup> starts;
    std::array<std::uint32_t, kGroup> slots{};
    std::array<std::uint8_t, kGroup> open{};
    for (std::size_t first = 0; first < out.size(); first += kGroup) {
        const std::size_t count = std::min(kGroup, out.size() - first);
        for (std::size_t lane = 0; lane < count; ++lane) {
            starts[lane] = source(first + lane);
            if (starts[lane].root != kNoRoot) {
                prefetch(words, starts[lane].root);
            }
        }
        std::size_t open_count = 0;
        for (std::size_t lane = 0; lane < count; ++lane) {
            slots[lane] = starts[lane].root == kNoRoot ? 0 : words[starts[lane].root];
            prefetch(words, is_leaf(slots[lane]) ? 0 : slots[lane] & RadixTree::kMaxId);
            open[open_count] = static_cast<std::uint8_t>(lane);
            open_count += is_leaf(slots[lane]) ? 0U : 1U;
        }
        while (open_count > 0) {
            std::size_t still_open = 0;
            for (std::size_t index = 0; index < open_count; ++index) {
                const std::size_t lane = open[index];
                const std::uint32_t slot = step(words, slots[lane], starts[lane].walk);
                slots[lane] = slot;
                prefetch(words, is_leaf(slot) ? 0 : slot & RadixTree::kMaxId);
                open[still_open] = static_cast<std::uint8_t>(lane);
                still_open += is_leaf(slot) ? 0U : 1U;
            }
            open_count = still_open;
        }
        std::copy_n(slots.begin(), count, out.begin() + static_cast<std::ptrdiff_t>(first));
    }
}

}  // namespace

std::uint32_t RadixTree::find(const base::IpAddress& address) const noexcept {
    Start start = start_of(address);
    std::uint32_t slot = start.root == kNoRoot ? 0 : words_[start.root];
    while (!is_leaf(slot)) {
        slot = step(words_, slot, start.walk);
    }
    return slot;
}

void RadixTree::find(std::span<const base::IpAddress> addresses,
                     std::span<std::uint32_t> out) const noexcept {
    find_all(words_, out.first(std::min(out.size(), addresses.size())), [&](std::size_t index) {
        return start_of(addresses[index]);
    });
}

void RadixTree::find_v4(std::span<const std::uint32_t> addresses,
                        std::span<std::uint32_t> out) const noexcept {
    find_all(words_, out.first(std::min(out.size(), addresses.size())), [&](std::size_t index) {
        const std::uint64_t address = addresses[index];
        return Start{{address << 48U, 0}, static_cast<std::size_t>(address >> 16U)};
    });
}

void RadixTree::find_v6(std::span<const std::uint8_t> octets,
                        std::span<std::uint32_t> out) const noexcept {
    find_all(words_, out.first(std::min(out.size(), octets.size() / 16)), [&](std::size_t index) {
        base::ByteReader reader(octets.subspan(16 * index, 16));
        const std::uint64_t high = reader.be64();
        return start_of(base::IpAddress::v6(high, reader.be64()));
    });
}

}  // namespace flowclass::registry
