// Builds the tree of radix_tree.hpp: prefixes -> the points where the answer changes, in address
// order -> nodes, depth first. Set-up code: linear in the prefixes, allocates; recursion is at most
// 16 deep. Blocks of the table come before the first level's.
#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <utility>

#include "registry/radix_changes.hpp"
#include "registry/radix_tree.hpp"

namespace flowclass::registry {

namespace {

using Kind = RadixTree::Kind;

// A range node costs as much to search for one change as for fifteen: the first level is as wide as
// leaves each of its slots about half of them.
constexpr unsigned kChangesPerRootSlot = 8;
// With 16 bits behind it one range node finishes an IPv4 address.
constexpr std::array<unsigned, 2> kLeastUsed{16, 12};
// Of one node: as many as a range node over range nodes has; a dense one can have no more.
constexpr std::size_t kMostRuns = (RadixTree::kMostBounds + 1) * (RadixTree::kMostBounds + 1);
static_assert(kMostRuns == std::size_t{1} << RadixTree::kDenseBits);
constexpr unsigned kShortestPath = 8;  // fewer shared bits are not worth a node of their own

// The next `bits` bits behind the first `depth` ones; behind the last bit come zeros.
constexpr std::uint32_t piece_at(Key key, unsigned depth, unsigned bits) noexcept {
    return depth >= 128 ? 0 : static_cast<std::uint32_t>((key << depth) >> (128U - bits));
}
constexpr unsigned root_bits_for(std::size_t changes, unsigned least) noexcept {
    const auto wanted = static_cast<unsigned>(std::bit_width(changes / kChangesPerRootSlot));
    return std::clamp(
        wanted, changes == 0 ? RadixTree::kLeastRootBits : least, RadixTree::kMostRootBits);
}

// The addresses that share their first `depth` bits with `base`; `id` is the answer at `base`,
// `changes` those behind it.
struct Block {
    Changes changes;
    std::uint32_t id = 0;
    Key base = 0;
    unsigned depth = 0;
};

// All addresses of a block that do not have the answer `outside` lie in [first, last].
struct Island {
    Key first = 0;
    Key last = 0;
    std::uint32_t outside = 0;
    bool one_answer = false;
};

Island island_with_outside_before(const Block& block) noexcept {
    const Change& final_change = block.changes.back();
    if (final_change.id == block.id) {
        return {block.changes.front().start,
                final_change.start - 1,
                block.id,
                block.changes.size() == 2};
    }
    return {block.changes.front().start,
            block.base | host_mask(block.depth),
            block.id,
            block.changes.size() == 1};
}
Island island_with_outside_after(const Block& block) noexcept {
    const Change& final_change = block.changes.back();
    return {block.base, final_change.start - 1, final_change.id, block.changes.size() == 1};
}

class Builder {
  public:
    explicit Builder(std::vector<std::uint32_t>& words) noexcept : words_(words) {}

    [[nodiscard]] bool full() const noexcept { return words_.size() > RadixTree::kMaxId; }

    void fill_root(Changes changes, std::size_t root, unsigned bits) {
        std::uint32_t id = 0;
        std::size_t next = 0;
        for (std::size_t index = 0; index < std::size_t{1} << bits; ++index) {
            Block block{{}, id, static_cast<Key>(index) << (128U - bits), bits};
            take(block, changes, next);
            id = block.changes.empty() ? block.id : block.changes.back().id;
            const std::uint32_t slot = build(block);
            words_[root + index] = slot;
        }
    }

    void fill_table(Changes changes, std::span<const BlockPlan::Block> blocks) {
        for (const BlockPlan::Block& planned : blocks) {
            const std::uint32_t slot =
                build({changes.subspan(planned.first, planned.count),
                       planned.id,
                       static_cast<Key>(planned.key) << (128U - RadixTree::kBlockBits),
                       RadixTree::kBlockBits});
            const std::size_t place = RadixTree::kHeaderWords + planned.place;
            words_[place] = planned.key;
            words_[place + RadixTree::kBucketBlocks] = slot;
        }
    }

  private:
    // Gives a block, which follows the one before it, its share of the changes from `next` on.
    static void take(Block& block, Changes changes, std::size_t& next) noexcept {
        const Key last = block.base | host_mask(block.depth);
        if (next < changes.size() && changes[next].start == block.base) {
            block.id = changes[next++].id;
        }
        const std::size_t first = next;
        while (next < changes.size() && changes[next].start <= last) {
            ++next;
        }
        block.changes = changes.subspan(first, next - first);
    }

    // What a node of `bits` bits would hold: the runs behind the first, at most kMostRuns of them
    // counted, and whether any of them leads further down.
    struct Shape {
        std::size_t bounds = 0;
        bool is_last = true;
    };
    static Shape shape_of(const Block& block, unsigned bits) noexcept {
        Shape shape;
        const Key below = host_mask(block.depth + bits);
        std::uint32_t begun = 0;  // the piece that the latest run begins with
        for (const Change& change : block.changes) {
            const std::uint32_t piece = piece_at(change.start, block.depth, bits);
            if (piece > begun) {
                ++shape.bounds;
                begun = piece;
            }
            if ((change.start & below) != 0) {
                shape.is_last = false;
                if (piece + 1 != begun) {
                    ++shape.bounds;
                    begun = piece + 1;
                }
            }
            if (shape.bounds >= kMostRuns) {
                break;
            }
        }
        return shape;
    }

    std::uint32_t build(const Block& block) {
        if (block.changes.empty() || full()) {
            return block.id;
        }
        const Shape shape = shape_of(block, RadixTree::kRangeBits);
        const bool is_range = shape.bounds < kMostRuns;
        if (is_range && shape.is_last) {
            return range_node(block);
        }
        const Island before = island_with_outside_before(block);
        Island island = before;
        if (block.changes.back().id != block.id) {
            const Island after = island_with_outside_after(block);
            if (common_bits(after.first, after.last) > common_bits(before.first, before.last)) {
                island = after;
            }
        }
        const unsigned shared = common_bits(island.first, island.last);
        const bool is_prefix = (island.first & host_mask(shared)) == 0 &&
                               (island.last | host_mask(shared)) == island.last;
        if (island.one_answer && is_prefix) {
            const std::uint32_t inside =
                island.first == block.base ? block.id : block.changes.front().id;
            return path(block, island, shared - block.depth, inside);
        }
        if (shared - block.depth >= kShortestPath) {
            const unsigned bits = shared - block.depth;
            return path(block, island, bits, build(inner_block(block, island, bits)));
        }
        return is_range ? range_node(block) : dense_node(block);
    }

    // The sub-block of the bits that the island's addresses share.
    static Block inner_block(const Block& block, const Island& island, unsigned bits) noexcept {
        Block inner{block.changes, block.id, 0, block.depth + bits};
        inner.base = island.first & ~host_mask(inner.depth);
        if (inner.changes.front().start <= inner.base) {
            inner.id = inner.changes.front().id;
            inner.changes = inner.changes.subspan(1);
        }
        if (!inner.changes.empty() &&
            inner.changes.back().start > (inner.base | host_mask(inner.depth))) {
            inner.changes = inner.changes.first(inner.changes.size() - 1);
        }
        return inner;
    }

    // The runs of equal slots of one node, by the piece of an address they begin with.
    struct Runs {
        std::array<std::uint16_t, kMostRuns> starts;
        std::array<std::uint32_t, kMostRuns> slots;
        std::size_t count = 0;

        void add(std::uint32_t piece, std::uint32_t slot) noexcept {
            if (count == 0 || slots[count - 1] != slot) {
                starts[count] = static_cast<std::uint16_t>(piece);
                slots[count++] = slot;
            }
        }
    };

    void collect(const Block& block, unsigned bits, Runs& runs) {
        std::uint32_t id = block.id;
        std::size_t next = 0;
        std::uint32_t piece = 0;
        while (next < block.changes.size()) {
            const std::uint32_t changing = piece_at(block.changes[next].start, block.depth, bits);
            if (changing > piece) {
                runs.add(piece, id);
                piece = changing;
            }
            Block child{{}, id, block.base, block.depth + bits};
            child.base |= (static_cast<Key>(piece) << (128U - bits)) >> block.depth;
            take(child, block.changes, next);
            id = child.changes.empty() ? child.id : child.changes.back().id;
            runs.add(piece++, build(child));
        }
        if (piece < 1U << bits) {
            runs.add(piece, id);
        }
    }

    [[nodiscard]] std::uint32_t node_here(Kind kind) const noexcept {
        return static_cast<std::uint32_t>(kind) << RadixTree::kIndexBits |
               (static_cast<std::uint32_t>(words_.size()) & RadixTree::kMaxId);
    }
    void append(std::uint64_t word) {
        words_.push_back(static_cast<std::uint32_t>(word));
        words_.push_back(static_cast<std::uint32_t>(word >> 32U));
    }
    void append_slots(std::span<const std::uint32_t> slots) {
        words_.insert(words_.end(), slots.begin(), slots.end());
    }

    std::uint32_t path(const Block& block,
                       const Island& island,
                       unsigned bits,
                       std::uint32_t inside) {
        const std::uint32_t node = node_here(Kind::path);
        const Key value = (island.first << block.depth) & ~host_mask(bits);
        words_.push_back(bits | static_cast<std::uint32_t>(value >> 112U) << 16U);
        words_.push_back(island.outside);
        words_.push_back(inside);
        for (unsigned done = 16; done < bits; done += 32) {
            const Key rest = value << done;
            words_.push_back(static_cast<std::uint32_t>(rest >> 96U));
        }
        return node;
    }

    // One node where all runs fit; else nodes of about equally many, and one that picks among them.
    std::uint32_t range_node(const Block& block) {
        Runs runs;
        collect(block, RadixTree::kRangeBits, runs);
        if (runs.count == 1) {
            return runs.slots[0];
        }
        constexpr std::size_t kMost = RadixTree::kMostBounds + 1;
        const std::size_t parts = (runs.count + kMost - 1) / kMost;
        if (parts == 1) {
            return range_of(runs, 0, runs.count, RadixTree::kRangeBits);
        }
        Runs picks;
        for (std::size_t part = 0; part < parts; ++part) {
            const std::size_t first = part * runs.count / parts;
            const std::size_t behind = (part + 1) * runs.count / parts;
            picks.add(runs.starts[first], range_of(runs, first, behind, RadixTree::kRangeBits));
        }
        return range_of(picks, 0, picks.count, 0);
    }

    // A range node of the runs [first, behind), at least two.
    std::uint32_t range_of(const Runs& runs, std::size_t first, std::size_t behind, unsigned bits) {
        const std::uint32_t node = node_here(Kind::range);
        std::array<std::uint16_t, 2 * RadixTree::kRangeWords> halves{};
        const std::size_t bounds = behind - first - 1;
        halves[0] = static_cast<std::uint16_t>(bounds | bits << 8U);
        for (std::size_t bound = 1; bound <= bounds; ++bound) {
            halves[bound] = static_cast<std::uint16_t>(runs.starts[first + bound] - 1);
        }
        const auto packed =
            std::bit_cast<std::array<std::uint32_t, RadixTree::kRangeWords>>(halves);
        const auto used = std::span(packed).first(bounds / 2 + 1);
        words_.insert(words_.end(), used.begin(), used.end());
        append_slots(std::span(runs.slots).subspan(first, bounds + 1));
        return node;
    }

    std::uint32_t dense_node(const Block& block) {
        Runs runs;
        collect(block, RadixTree::kDenseBits, runs);
        const std::uint32_t node = node_here(Kind::dense);
        std::array<std::uint64_t, 4> bits{};
        for (std::size_t run = 1; run < runs.count; ++run) {
            bits[runs.starts[run] / 64U] |= 1ULL << (runs.starts[run] % 64U);
        }
        std::uint32_t before = 0;
        std::uint32_t ranks = 0;
        for (unsigned word = 0; word < 4; ++word) {
            append(bits[word]);
            ranks |= before << (8 * word);
            before += static_cast<std::uint32_t>(std::popcount(bits[word]));
        }
        words_.push_back(ranks);
        append_slots(std::span(runs.slots).first(runs.count));
        return node;
    }

    std::vector<std::uint32_t>& words_;
};

// The header, an empty table and two empty first levels.
std::vector<std::uint32_t> empty_words(std::array<unsigned, 2> root_bits, std::size_t buckets) {
    const std::size_t slots = (std::size_t{1} << root_bits[0]) + (std::size_t{1} << root_bits[1]);
    std::vector<std::uint32_t> words(
        RadixTree::kHeaderWords + buckets * RadixTree::kBucketWords + slots, 0);
    words[0] = root_bits[0];
    words[1] = root_bits[1];
    words[2] = static_cast<std::uint32_t>(buckets);
    return words;
}

void append_tail(std::vector<std::uint32_t>& words) {
    words.insert(words.end(), RadixTree::kTailWords, 0);
}

}  // namespace

RadixTree::RadixTree(std::span<const std::uint32_t> words) {
    constexpr std::size_t kWords = sizeof(Line) / sizeof(std::uint32_t);
    std::vector<Line> lines((words.size() + kWords - 1) / kWords);
    for (std::size_t first = 0; first < words.size(); first += kWords) {
        const auto line = words.subspan(first, std::min(kWords, words.size() - first));
        std::copy(line.begin(), line.end(), lines[first / kWords].words.begin());
    }
    own_ = std::make_shared<const std::vector<Line>>(std::move(lines));
    words_ = {own_->front().words.data(), words.size()};
}

RadixTree::RadixTree()
    : RadixTree([] {
          std::vector<std::uint32_t> words = empty_words({kLeastRootBits, kLeastRootBits}, 1);
          append_tail(words);
          return words;
      }()) {}

base::Result<RadixTree> RadixTree::build(std::span<const PrefixLeaf> leaves) {
    const auto first_v6 = std::find_if(leaves.begin(), leaves.end(), [](const PrefixLeaf& leaf) {
        return leaf.prefix.address.version != 4;
    });
    const auto count_v4 = static_cast<std::size_t>(first_v6 - leaves.begin());
    const std::vector<Change> four = changes_of(leaves.first(count_v4));
    const std::vector<Change> six = changes_of(leaves.subspan(count_v4));
    const BlockPlan plan = plan_blocks(six);
    const std::array root_bits{root_bits_for(four.size(), kLeastUsed[0]),
                               root_bits_for(plan.rest.size(), kLeastUsed[1])};
    std::vector<std::uint32_t> words = empty_words(root_bits, plan.buckets);
    const std::size_t root = kHeaderWords + plan.buckets * kBucketWords;
    Builder builder(words);
    builder.fill_table(six, plan.blocks);
    builder.fill_root(four, root, root_bits[0]);
    builder.fill_root(plan.rest, root + (std::size_t{1} << root_bits[0]), root_bits[1]);
    append_tail(words);
    if (builder.full()) {
        return base::Error{"the registry has more prefixes than one tree can hold; split it"};
    }
    return RadixTree(words);
}

}  // namespace flowclass::registry
