// Looks addresses up in the tree of radix_tree.hpp: a group of them step by step together, each
// next node prefetched while the others step. The word index of a slot comes from the builder
// alone, never from an address.
//
// The same source is compiled twice: for any processor, and for one with wide registers and bit
// counting, which is asked for at run time.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/byte_reader.hpp"
#include "registry/radix_tree.hpp"

// The one place that walks the tree's words by pointers: they were checked, or built here, before.
// NOLINTBEGIN(cppcoreguidelines-pro-bounds-pointer-arithmetic)

namespace flowclass::registry {

namespace {

using Kind = RadixTree::Kind;
using Words = const std::uint32_t*;

constexpr std::size_t kGroup = 64;

[[gnu::always_inline]] inline bool is_leaf(std::uint32_t slot) noexcept {
    return slot >> RadixTree::kIndexBits == static_cast<std::uint32_t>(Kind::leaf);
}

// A walk is what is left of an address, left-aligned.
template <typename Walk>
[[gnu::always_inline]] inline std::uint32_t next_bits(Walk walk, unsigned bits) noexcept {
    return static_cast<std::uint32_t>(walk >> (8 * sizeof(Walk) - bits));
}

template <typename Walk>
[[gnu::always_inline]] inline Walk path_value(Words node) noexcept {
    Walk value = 0;
    for (std::size_t word = 0; word < sizeof(Walk) / 4; ++word) {
        value = value << 32U | node[word];
    }
    return value;
}

// Eight halves of words side by side; comparing them gives all bits set where it holds.
using Lanes [[gnu::vector_size(16)]] = std::uint16_t;
constexpr std::size_t kLaneWords = sizeof(Lanes) / sizeof(std::uint32_t);

[[gnu::always_inline]] inline Lanes lanes_at(Words words) noexcept {
    Lanes lanes;
    std::memcpy(&lanes, words, sizeof(lanes));
    return lanes;
}

// The slot of a range node: behind as many runs as have a last value below `piece`. All bounds are
// compared at once; what lies behind the last one counts for nothing.
[[gnu::always_inline]] inline std::uint32_t range_slot(Words node, std::uint16_t piece) noexcept {
    constexpr Lanes kFirstPlaces{UINT16_MAX, 0, 1, 2, 3, 4, 5, 6};
    constexpr Lanes kLastPlaces{7, 8, 9, 10, 11, 12, 13, 14};
    const Lanes first = lanes_at(node);
    const std::uint16_t count = first[0];
    const auto first_below = (first < piece) & (kFirstPlaces < count);
    const auto last_below = (lanes_at(node + kLaneWords) < piece) & (kLastPlaces < count);
    const auto below = std::bit_cast<std::array<std::uint64_t, 2>>(-(first_below + last_below));
    // At most four in each quarter of the sum; the multiplication adds the quarters in its top one.
    const std::uint64_t total = ((below[0] + below[1]) * 0x0001000100010001ULL) >> 48U;
    return node[(count + 2U) / 2U + total];
}

template <Kind kind, typename Walk>
[[gnu::always_inline]] inline std::uint32_t step(Words words,
                                                 std::uint32_t slot,
                                                 Walk& walk) noexcept {
    const Words node = words + (slot & RadixTree::kMaxId);
    if constexpr (kind == Kind::range) {
        const auto piece = static_cast<std::uint16_t>(next_bits(walk, RadixTree::kRangeBits));
        walk <<= RadixTree::kRangeBits;
        return range_slot(node, piece);
    } else if constexpr (kind == Kind::path) {
        const unsigned bits = node[0];
        const bool equal = (walk ^ path_value<Walk>(node + 3)) >> (8 * sizeof(Walk) - bits) == 0;
        walk <<= bits;
        return node[equal ? 2 : 1];
    } else {
        const std::uint32_t octet = next_bits(walk, RadixTree::kDenseBits);
        walk <<= RadixTree::kDenseBits;
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
            return step<Kind::range>(words, slot, walk);
        case Kind::path:
            return step<Kind::path>(words, slot, walk);
        default:
            return step<Kind::dense>(words, slot, walk);
    }
}

[[gnu::always_inline]] inline void prefetch(Words words, std::size_t index) noexcept {
    __builtin_prefetch(words + index);
}

// Where a look-up begins: the word of its first slot, and what is left of the address there.
template <typename Walk>
struct Start {
    Walk walk = 0;
    std::uint32_t root = 0;
};

// The lanes of a group sorted by the kind of node that they stand at, without a branch that a
// processor could guess wrongly. Those at a leaf are put down too, and left.
class Sorted {
  public:
    [[gnu::always_inline]] void put(std::size_t lane, std::uint32_t slot) noexcept {
        const std::uint32_t kind = slot >> RadixTree::kIndexBits;
        const std::uint32_t place = kCountBits * kind;
        lanes_[kind][counts_ >> place & kMostCount] = static_cast<std::uint8_t>(lane);
        counts_ += 1U << place;
    }
    [[gnu::always_inline]] [[nodiscard]] std::span<const std::uint8_t> at(
        Kind kind) const noexcept {
        const auto index = static_cast<std::uint32_t>(kind);
        return std::span(lanes_[index]).first(counts_ >> (kCountBits * index) & kMostCount);
    }
    [[gnu::always_inline]] [[nodiscard]] bool all_at_leaves() const noexcept {
        return counts_ >> kCountBits == 0;
    }
    [[gnu::always_inline]] void clear() noexcept { counts_ = 0; }

  private:
    static constexpr std::uint32_t kCountBits = 8;
    static constexpr std::uint32_t kMostCount = 0xff;
    static_assert(kGroup <= kMostCount);

    std::array<std::array<std::uint8_t, kGroup>, 4> lanes_;
    std::uint32_t counts_ = 0;
};

template <typename Walk>
struct Group {
    std::array<Walk, kGroup> walks;
    std::array<std::uint32_t, kGroup> slots;

    template <Kind kind>
    [[gnu::always_inline]] void step_all(Words words, const Sorted& now, Sorted& next) noexcept {
        for (const std::size_t lane : now.at(kind)) {
            const std::uint32_t slot = step<kind>(words, slots[lane], walks[lane]);
            slots[lane] = slot;
            prefetch(words, is_leaf(slot) ? 0 : slot & RadixTree::kMaxId);
            next.put(lane, slot);
        }
    }
};

template <typename Walk, typename Source>
[[gnu::always_inline]] inline void find_group(Words words,
                                              std::span<std::uint32_t> out,
                                              std::size_t first,
                                              const Source& source) noexcept {
    Group<Walk> group;
    for (std::size_t lane = 0; lane < out.size(); ++lane) {
        const Start<Walk> start = source(first + lane);
        group.walks[lane] = start.walk;
        group.slots[lane] = start.root;
        prefetch(words, start.root);
    }
    std::array<Sorted, 2> sorted;
    for (std::size_t lane = 0; lane < out.size(); ++lane) {
        const std::uint32_t slot = words[group.slots[lane]];
        group.slots[lane] = slot;
        prefetch(words, is_leaf(slot) ? 0 : slot & RadixTree::kMaxId);
        sorted[0].put(lane, slot);
    }
    for (std::size_t now = 0; !sorted[now].all_at_leaves(); now ^= 1U) {
        Sorted& next = sorted[now ^ 1U];
        next.clear();
        group.template step_all<Kind::range>(words, sorted[now], next);
        group.template step_all<Kind::path>(words, sorted[now], next);
        group.template step_all<Kind::dense>(words, sorted[now], next);
    }
    std::copy_n(group.slots.begin(), out.size(), out.begin());
}

template <typename Walk, typename Source>
[[gnu::always_inline]] inline void find_all(Words words,
                                            std::span<std::uint32_t> out,
                                            const Source& source) noexcept {
    std::size_t first = 0;
    for (; first + kGroup <= out.size(); first += kGroup) {
        find_group<Walk>(words, out.subspan(first, kGroup), first, source);
    }
    find_group<Walk>(words, out.subspan(first), first, source);
}

// The two first levels, read from the header once for a call.
class Roots {
  public:
    explicit Roots(Words words) noexcept
        : bits_{words[0], words[1]},
          first_v6_(static_cast<std::uint32_t>(RadixTree::kHeaderWords) + (1U << words[0])) {}

    [[nodiscard, gnu::always_inline]] Start<std::uint64_t> v4(
        std::uint32_t address) const noexcept {
        constexpr auto kFirst = static_cast<std::uint32_t>(RadixTree::kHeaderWords);
        const std::uint64_t walk = static_cast<std::uint64_t>(address) << 32U;
        return {walk << bits_[0], kFirst + (address >> (32U - bits_[0]))};
    }
    [[nodiscard, gnu::always_inline]] Start<Key> v6(std::uint64_t high,
                                                    std::uint64_t low) const noexcept {
        const auto slot = static_cast<std::uint32_t>(high >> (64U - bits_[1]));
        return {make_key(high, low) << bits_[1], first_v6_ + slot};
    }

  private:
    std::array<unsigned, 2> bits_;
    std::uint32_t first_v6_;
};

// Sources: the i-th start of a column.
struct V4Column {
    Roots roots;
    std::span<const std::uint32_t> addresses;

    [[gnu::always_inline]] Start<std::uint64_t> operator()(std::size_t index) const noexcept {
        return roots.v4(addresses[index]);
    }
};
struct V6Column {
    Roots roots;
    std::span<const std::uint8_t> octets;

    [[gnu::always_inline]] Start<Key> operator()(std::size_t index) const noexcept {
        base::ByteReader reader(octets.subspan(16 * index, 16));
        const std::uint64_t high = reader.be64();
        return roots.v6(high, reader.be64());
    }
};
// An address of no version starts at `none`, a word of the tail: 0.
struct AnyColumn {
    Roots roots;
    std::span<const base::IpAddress> addresses;
    std::uint32_t none = 0;

    [[gnu::always_inline]] Start<Key> operator()(std::size_t index) const noexcept {
        const base::IpAddress& address = addresses[index];
        if (address.version == 4) {
            const Start<std::uint64_t> start = roots.v4(static_cast<std::uint32_t>(address.low));
            return {static_cast<Key>(start.walk) << 64U, start.root};
        }
        return address.version == 6 ? roots.v6(address.high, address.low) : Start<Key>{0, none};
    }
};

template <typename Walk, typename Source>
void find_portable(Words words, std::span<std::uint32_t> out, const Source& source) noexcept {
    find_all<Walk>(words, out, source);
}

// Only by GCC: clang 14 cannot ask a processor for lzcnt.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
template <typename Walk, typename Source>
[[gnu::target("avx2,bmi,bmi2,lzcnt,popcnt")]] void find_wide(Words words,
                                                             std::span<std::uint32_t> out,
                                                             const Source& source) noexcept {
    find_all<Walk>(words, out, source);
}
bool is_wide() noexcept {
    return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi") != 0 &&
           __builtin_cpu_supports("bmi2") != 0 && __builtin_cpu_supports("lzcnt") != 0 &&
           __builtin_cpu_supports("popcnt") != 0;
}
template <typename Walk, typename Source>
void find_with(RadixTree::Code code,
               Words words,
               std::span<std::uint32_t> out,
               const Source& source) noexcept {
    if (code == RadixTree::Code::best && is_wide()) {
        find_wide<Walk>(words, out, source);
        return;
    }
    find_portable<Walk>(words, out, source);
}
#else
template <typename Walk, typename Source>
void find_with(RadixTree::Code,
               Words words,
               std::span<std::uint32_t> out,
               const Source& source) noexcept {
    find_portable<Walk>(words, out, source);
}
#endif

}  // namespace

std::uint32_t RadixTree::find(const base::IpAddress& address) const noexcept {
    const Words words = words_.span().data();
    const auto none = static_cast<std::uint32_t>(words_.size() - 1);
    auto [walk, root] = AnyColumn{Roots(words), {&address, 1}, none}(0);
    std::uint32_t slot = words[root];
    while (!is_leaf(slot)) {
        slot = any_step(words, slot, walk);
    }
    return slot;
}

void RadixTree::find(std::span<const base::IpAddress> addresses,
                     std::span<std::uint32_t> out,
                     Code code) const noexcept {
    const Words words = words_.span().data();
    const auto none = static_cast<std::uint32_t>(words_.size() - 1);
    out = out.first(std::min(out.size(), addresses.size()));
    find_with<Key>(code, words, out, AnyColumn{Roots(words), addresses, none});
}

void RadixTree::find_v4(std::span<const std::uint32_t> addresses,
                        std::span<std::uint32_t> out,
                        Code code) const noexcept {
    const Words words = words_.span().data();
    out = out.first(std::min(out.size(), addresses.size()));
    find_with<std::uint64_t>(code, words, out, V4Column{Roots(words), addresses});
}

void RadixTree::find_v6(std::span<const std::uint8_t> octets,
                        std::span<std::uint32_t> out,
                        Code code) const noexcept {
    const Words words = words_.span().data();
    out = out.first(std::min(out.size(), octets.size() / 16));
    find_with<Key>(code, words, out, V6Column{Roots(words), octets});
}

}  // namespace flowclass::registry

// NOLINTEND(cppcoreguidelines-pro-bounds-pointer-arithmetic)
