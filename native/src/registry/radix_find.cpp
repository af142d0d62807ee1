// Looks addresses up in the tree of radix_tree.hpp: a group of them step by step together, each
// next node prefetched while the others step (radix_walk.hpp). The word index of a slot comes from
// the builder alone, never from an address.
//
// The same source is compiled twice: for any processor, and for one with wide registers and bit
// counting, which is asked for at run time.
#include <algorithm>
#include <array>
#include <bit>

#include "base/byte_reader.hpp"
#include "registry/radix_tree.hpp"
#include "registry/radix_walk.hpp"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <emmintrin.h>
#endif

// The one place, with radix_walk.hpp, that walks the tree's words by pointers: they were checked,
// or built here, before. NOLINTBEGIN(cppcoreguidelines-pro-bounds-pointer-arithmetic)

namespace flowclass::registry {

namespace {

constexpr std::size_t kGroup = 64;

// The lanes of a group sorted by the kind of node that they stand at, without a branch that a
// processor could guess wrongly. Those at a leaf are put down too, and left. How many of each kind
// there are is kept by the caller, in an octet for each: octets here could be anything's.
class Sorted {
  public:
    [[gnu::always_inline]] std::uint32_t put(std::uint32_t counts,
                                             std::size_t lane,
                                             std::uint32_t slot) noexcept {
        const std::uint32_t kind = slot >> RadixTree::kIndexBits;
        const std::uint32_t place = kCountBits * kind;
        lanes_[kind][counts >> place & kMostCount] = static_cast<std::uint8_t>(lane);
        return counts + (1U << place);
    }
    [[gnu::always_inline]] [[nodiscard]] std::span<const std::uint8_t> at(
        Kind kind, std::uint32_t counts) const noexcept {
        const auto index = static_cast<std::uint32_t>(kind);
        return std::span(lanes_[index]).first(counts >> (kCountBits * index) & kMostCount);
    }
    [[gnu::always_inline]] [[nodiscard]] static bool all_at_leaves(std::uint32_t counts) noexcept {
        return counts >> kCountBits == 0;
    }

  private:
    static constexpr std::uint32_t kCountBits = 8;
    static constexpr std::uint32_t kMostCount = 0xff;
    static_assert(kGroup <= kMostCount);

    std::array<std::array<std::uint8_t, kGroup>, 4> lanes_;
};

template <typename Walk>
struct Group {
    std::array<Walk, kGroup> walks;
    std::array<std::uint32_t, kGroup> slots;

    // Gives the counts of `next`.
    template <Kind kind, typename Bounds>
    [[gnu::always_inline]] std::uint32_t step_all(Words words,
                                                  std::span<const std::uint8_t> lanes,
                                                  Sorted& next,
                                                  std::uint32_t counts) noexcept {
        for (const std::size_t lane : lanes) {
            const std::uint32_t slot = step<kind, Bounds>(words, slots[lane], walks[lane]);
            slots[lane] = slot;
            prefetch_node(words, slot);
            counts = next.put(counts, lane, slot);
        }
        return counts;
    }
};

// The first slots of a group, sorted.
template <typename Source>
[[gnu::always_inline]] inline std::uint32_t begin(Words words,
                                                  Group<std::uint64_t>& group,
                                                  std::size_t first,
                                                  std::size_t count,
                                                  const Source& source,
                                                  Sorted& sorted) noexcept {
    for (std::size_t lane = 0; lane < count; ++lane) {
        const Start start = source(first + lane);
        group.walks[lane] = start.walk;
        group.slots[lane] = start.root;
        prefetch(words, start.root);
    }
    std::uint32_t counts = 0;
    for (std::size_t lane = 0; lane < count; ++lane) {
        const std::uint32_t slot = words[group.slots[lane]];
        group.slots[lane] = slot;
        prefetch_node(words, slot);
        counts = sorted.put(counts, lane, slot);
    }
    return counts;
}
template <typename Source>
[[gnu::always_inline]] inline std::uint32_t begin(Words words,
                                                  Group<Key>& group,
                                                  std::size_t first,
                                                  std::size_t count,
                                                  const Source& source,
                                                  Sorted& sorted) noexcept {
    std::array<std::uint32_t, kGroup> buckets;
    for (std::size_t lane = 0; lane < count; ++lane) {
        const WideStart start = source(first + lane);
        group.walks[lane] = start.walk;
        group.slots[lane] = start.root;
        buckets[lane] = start.bucket;
        prefetch(words, start.root);
        prefetch(words, start.bucket);
    }
    const unsigned used = source.roots.bits_v6();
    std::uint32_t counts = 0;
    for (std::size_t lane = 0; lane < count; ++lane) {
        const std::uint32_t slot =
            first_slot(words, group.slots[lane], buckets[lane], used, group.walks[lane]);
        group.slots[lane] = slot;
        prefetch_node(words, slot);
        counts = sorted.put(counts, lane, slot);
    }
    return counts;
}

template <typename Walk, typename Bounds, typename Source>
[[gnu::always_inline]] inline void find_group(Words words,
                                              std::span<std::uint32_t> out,
                                              std::size_t first,
                                              const Source& source) noexcept {
    Group<Walk> group;
    std::array<Sorted, 2> sorted;
    std::uint32_t counts = begin(words, group, first, out.size(), source, sorted[0]);
    for (std::size_t now = 0; !Sorted::all_at_leaves(counts); now ^= 1U) {
        const Sorted& from = sorted[now];
        Sorted& next = sorted[now ^ 1U];
        std::uint32_t left = group.template step_all<Kind::range, Bounds>(
            words, from.at(Kind::range, counts), next, 0);
        left = group.template step_all<Kind::path, Bounds>(
            words, from.at(Kind::path, counts), next, left);
        counts = group.template step_all<Kind::dense, Bounds>(
            words, from.at(Kind::dense, counts), next, left);
    }
    std::copy_n(group.slots.begin(), out.size(), out.begin());
}

template <typename Walk, typename Bounds, typename Source>
[[gnu::always_inline]] inline void find_all(Words words,
                                            std::span<std::uint32_t> out,
                                            const Source& source) noexcept {
    std::size_t first = 0;
    for (; first + kGroup <= out.size(); first += kGroup) {
        find_group<Walk, Bounds>(words, out.subspan(first, kGroup), first, source);
    }
    find_group<Walk, Bounds>(words, out.subspan(first), first, source);
}

// The two first levels and the table, read from the header once for a call.
class Roots {
  public:
    explicit Roots(Words words) noexcept
        : bits_{words[0], words[1]},
          buckets_(words[2]),
          first_v4_(kFirstBucket + buckets_ * static_cast<std::uint32_t>(RadixTree::kBucketWords)),
          first_v6_(first_v4_ + (1U << words[0])) {}

    [[nodiscard, gnu::always_inline]] Start v4(std::uint32_t address) const noexcept {
        const std::uint64_t walk = static_cast<std::uint64_t>(address) << 32U;
        return {walk << bits_[0], first_v4_ + (address >> (32U - bits_[0]))};
    }
    [[nodiscard, gnu::always_inline]] WideStart v6(std::uint64_t high,
                                                   std::uint64_t low) const noexcept {
        const auto slot = static_cast<std::uint32_t>(high >> (64U - bits_[1]));
        const std::size_t bucket =
            RadixTree::bucket_of(static_cast<std::uint32_t>(high >> 32U), buckets_);
        return {make_key(high, low),
                first_v6_ + slot,
                kFirstBucket + static_cast<std::uint32_t>(bucket * RadixTree::kBucketWords)};
    }

    [[nodiscard, gnu::always_inline]] unsigned bits_v6() const noexcept { return bits_[1]; }

  private:
    static constexpr auto kFirstBucket = static_cast<std::uint32_t>(RadixTree::kHeaderWords);

    std::array<unsigned, 2> bits_;
    std::uint32_t buckets_;
    std::uint32_t first_v4_;
    std::uint32_t first_v6_;
};

// Sources: the i-th start of a column.
struct V4Column {
    Roots roots;
    std::span<const std::uint32_t> addresses;

    [[gnu::always_inline]] Start operator()(std::size_t index) const noexcept {
        return roots.v4(addresses[index]);
    }
};
struct V6Column {
    Roots roots;
    std::span<const std::uint8_t> octets;

    [[gnu::always_inline]] WideStart operator()(std::size_t index) const noexcept {
        base::ByteReader reader(octets.subspan(16 * index, 16));
        const std::uint64_t high = reader.be64();
        return roots.v6(high, reader.be64());
    }
};
// `tail`: its words are 0. An address of no version starts there, and there is the bucket of one
// that is not of IPv6.
struct AnyColumn {
    Roots roots;
    std::span<const base::IpAddress> addresses;
    std::uint32_t tail = 0;

    [[gnu::always_inline]] WideStart operator()(std::size_t index) const noexcept {
        const base::IpAddress& address = addresses[index];
        if (address.version == 4) {
            const Start start = roots.v4(static_cast<std::uint32_t>(address.low));
            // Moved back by what first_slot() is going to move it on.
            return {(static_cast<Key>(start.walk) << 64U) >> roots.bits_v6(), start.root, tail};
        }
        return address.version == 6 ? roots.v6(address.high, address.low)
                                    : WideStart{0, tail, tail};
    }
};

template <typename Walk, typename Source>
void find_portable(Words words, std::span<std::uint32_t> out, const Source& source) noexcept {
    find_all<Walk, AnyBounds>(words, out, source);
}

// Only by GCC: clang 14 cannot ask a processor for lzcnt.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
// As AnyBounds, with one bit for each bound, counted, instead of a number in each, added up.
struct CountedBounds {
    [[gnu::always_inline]] static std::uint32_t below(Words node,
                                                      std::uint16_t piece,
                                                      std::uint32_t count) noexcept {
        const __m128i pieces = _mm_set1_epi16(static_cast<std::int16_t>(piece));
        const __m128i all =
            _mm_packs_epi16(not_below(node, pieces), not_below(node + kLaneWords, pieces));
        const auto bits = ~static_cast<std::uint32_t>(_mm_movemask_epi8(all));
        // Bit 0 is the node's head, those behind bit `count` are of what follows the bounds.
        return static_cast<std::uint32_t>(std::popcount(bits & ((2U << count) - 2U)));
    }

  private:
    // All bits set in each half of a word that is not below its piece.
    [[gnu::always_inline]] static __m128i not_below(Words words, __m128i pieces) noexcept {
        const auto bounds = std::bit_cast<__m128i>(lanes_at(words));
        return _mm_cmpeq_epi16(_mm_subs_epu16(pieces, bounds), _mm_setzero_si128());
    }
};
template <typename Walk, typename Source>
[[gnu::target("avx2,bmi,bmi2,lzcnt,popcnt")]] void find_wide(Words words,
                                                             std::span<std::uint32_t> out,
                                                             const Source& source) noexcept {
    find_all<Walk, CountedBounds>(words, out, source);
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
    const Words words = words_.data();
    const auto tail = static_cast<std::uint32_t>(words_.size() - kTailWords);
    WideStart start = AnyColumn{Roots(words), {&address, 1}, tail}(0);
    std::uint32_t slot = first_slot(words, start.root, start.bucket, words[1], start.walk);
    while (!is_leaf(slot)) {
        slot = any_step(words, slot, start.walk);
    }
    return slot;
}

void RadixTree::find(std::span<const base::IpAddress> addresses,
                     std::span<std::uint32_t> out,
                     Code code) const noexcept {
    const Words words = words_.data();
    const auto tail = static_cast<std::uint32_t>(words_.size() - kTailWords);
    out = out.first(std::min(out.size(), addresses.size()));
    find_with<Key>(code, words, out, AnyColumn{Roots(words), addresses, tail});
}

void RadixTree::find_v4(std::span<const std::uint32_t> addresses,
                        std::span<std::uint32_t> out,
                        Code code) const noexcept {
    const Words words = words_.data();
    out = out.first(std::min(out.size(), addresses.size()));
    find_with<std::uint64_t>(code, words, out, V4Column{Roots(words), addresses});
}

void RadixTree::find_v6(std::span<const std::uint8_t> octets,
                        std::span<std::uint32_t> out,
                        Code code) const noexcept {
    const Words words = words_.data();
    out = out.first(std::min(out.size(), octets.size() / 16));
    find_with<Key>(code, words, out, V6Column{Roots(words), octets});
}

}  // namespace flowclass::registry

// NOLINTEND(cppcoreguidelines-pro-bounds-pointer-arithmetic)
