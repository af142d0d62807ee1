// Builds the tree of radix_tree.hpp: prefixes -> the points where the answer changes, in address
// order -> nodes, depth first. Set-up code: linear in the prefixes, allocates; recursion is at most
// 16 deep.
#include <array>
#include <bit>
#include <span>
#include <utility>

#include "registry/radix_tree.hpp"

namespace flowclass::registry {

namespace {

using Kind = RadixTree::Kind;

constexpr unsigned kRootBits = 16;
constexpr unsigned kMaxPathBits = 56;  // so that a shift by it and by 64 minus it are both defined
constexpr std::size_t kMaxSparseChanges = 8;

// From `start` on, up to the next change, the answer is `id`.
struct Change {
    Key start = 0;
    std::uint32_t id = 0;
};
using Changes = std::span<const Change>;

// The answers of one version as a sorted list of changes; before the first the answer is 0.
class Sweep {
  public:
    void add(const PrefixLeaf& leaf) {
        const Key first = first_key(leaf.prefix);
        while (!open_.empty() && open_.back().last < first) {
            close();
        }
        emit(first, leaf.id);
        open_.push_back({last_key(leaf.prefix), leaf.id});
    }
    std::vector<Change> finish() {
        while (!open_.empty()) {
            close();
        }
        return std::move(changes_);
    }

  private:
    struct Open {
        Key last = 0;
        std::uint32_t id = 0;
    };
    void close() {
        const Key last = open_.back().last;
        open_.pop_back();
        if (last != ~Key{0}) {
            emit(last + 1, open_.empty() ? 0 : open_.back().id);
        }
    }
    void emit(Key start, std::uint32_t id) {
        if (!changes_.empty() && changes_.back().start == start) {
            changes_.pop_back();
        }
        if ((changes_.empty() ? 0 : changes_.back().id) != id) {
            changes_.push_back({start, id});
        }
    }

    std::vector<Open> open_;
    std::vector<Change> changes_;
};

constexpr unsigned common_bits(Key left, Key right) noexcept {
    const Key differing = left ^ right;
    const auto high = static_cast<std::uint64_t>(differing >> 64U);
    const auto low = static_cast<std::uint64_t>(differing);
    return static_cast<unsigned>(high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(low));
}
constexpr std::uint32_t octet_at(Key key, unsigned depth) noexcept {
    return static_cast<std::uint32_t>(key >> (120U - depth)) & 0xffU;
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

    void fill_root(Changes changes, std::size_t root) {
        std::uint32_t id = 0;
        std::size_t next = 0;
        for (std::size_t index = 0; index < RadixTree::kRootSlots; ++index) {
            Block block{{}, id, static_cast<Key>(index) << (128U - kRootBits), kRootBits};
            const Key last = block.base | host_mask(kRootBits);
            if (next < changes.size() && changes[next].start == block.base) {
                block.id = changes[next++].id;
            }
            const std::size_t first = next;
            while (next < changes.size() && changes[next].start <= last) {
                ++next;
            }
            block.changes = changes.subspan(first, next - first);
            id = block.changes.empty() ? block.id : block.changes.back().id;
            const std::uint32_t slot = build(block);
            words_[root + index] = slot;
        }
    }

  private:
    std::uint32_t build(const Block& block) {
        if (block.changes.empty() || full()) {
            return block.id;
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
        if (island.one_answer && is_prefix && shared - block.depth <= kMaxPathBits) {
            const std::uint32_t inside =
                island.first == block.base ? block.id : block.changes.front().id;
            return path(block, island, shared - block.depth, inside);
        }
        const unsigned whole_octets = (shared - block.depth) & ~7U;
        const unsigned bits = whole_octets < kMaxPathBits ? whole_octets : kMaxPathBits;
        if (bits == 0) {
            return octet_node(block);
        }
        return path(block, island, bits, build(inner_block(block, island, bits)));
    }

    // The sub-block of the octets that the island's addresses share.
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

    // The runs of equal slots of one node, by the octet they begin with.
    struct Runs {
        std::array<std::uint8_t, 256> starts{};
        std::array<std::uint32_t, 256> slots{};
        std::size_t count = 0;

        void add(std::uint32_t octet, std::uint32_t slot) noexcept {
            if (count == 0 || slots[count - 1] != slot) {
                starts[count] = static_cast<std::uint8_t>(octet);
                slots[count++] = slot;
            }
        }
    };

    std::uint32_t octet_node(const Block& block) {
        Runs runs;
        std::uint32_t id = block.id;
        std::size_t next = 0;
        for (std::uint32_t octet = 0; octet < 256; ++octet) {
            if (next == block.changes.size()) {
                runs.add(octet, id);
                break;
            }
            const std::uint32_t changing = octet_at(block.changes[next].start, block.depth);
            if (changing > octet) {
                runs.add(octet, id);
                octet = changing;
            }
            Block child{{}, id, block.base, block.depth + 8};
            child.base |= static_cast<Key>(octet) << (120U - block.depth);
            if (block.changes[next].start == child.base) {
                child.id = block.changes[next++].id;
            }
            const std::size_t first = next;
            while (next < block.changes.size() &&
                   octet_at(block.changes[next].start, block.depth) == octet) {
                ++next;
            }
            child.changes = block.changes.subspan(first, next - first);
            id = child.changes.empty() ? child.id : child.changes.back().id;
            runs.add(octet, build(child));
        }
        return runs.count <= kMaxSparseChanges + 1 ? sparse(runs) : dense(runs);
    }

    [[nodiscard]] std::uint32_t node_here(Kind kind) const noexcept {
        return static_cast<std::uint32_t>(kind) << RadixTree::kIndexBits |
               (static_cast<std::uint32_t>(words_.size()) & RadixTree::kMaxId);
    }
    void append(std::uint64_t word) {
        words_.push_back(static_cast<std::uint32_t>(word));
        words_.push_back(static_cast<std::uint32_t>(word >> 32U));
    }
    void append_slots(const Runs& runs) {
        const auto used = std::span(runs.slots).first(runs.count);
        words_.insert(words_.end(), used.begin(), used.end());
    }

    std::uint32_t path(const Block& block,
                       const Island& island,
                       unsigned bits,
                       std::uint32_t inside) {
        const std::uint32_t node = node_here(Kind::path);
        const Key value = (island.first << block.depth) & ~host_mask(bits);
        words_.push_back(bits);
        words_.push_back(island.outside);
        words_.push_back(inside);
        words_.push_back(static_cast<std::uint32_t>(value >> 96U));
        if (bits > 32) {
            words_.push_back(static_cast<std::uint32_t>(value >> 64U));
        }
        return node;
    }

    std::uint32_t sparse(const Runs& runs) {
        const std::uint32_t node = node_here(Kind::sparse);
        std::uint64_t run_ends = ~0ULL;
        for (std::size_t run = 1; run < runs.count; ++run) {
            const auto place = static_cast<unsigned>(8 * (run - 1));
            run_ends &= ~(0xffULL << place);
            run_ends |= static_cast<std::uint64_t>(runs.starts[run] - 1) << place;
        }
        append(run_ends);
        append_slots(runs);
        return node;
    }

    std::uint32_t dense(const Runs& runs) {
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
        append_slots(runs);
        return node;
    }

    std::vector<std::uint32_t>& words_;
};

}  // namespace

RadixTree::RadixTree() : words_(std::vector<std::uint32_t>(2 * kRootSlots + 1, 0)) {}

base::Result<RadixTree> RadixTree::build(std::span<const PrefixLeaf> leaves) {
    std::vector<std::uint32_t> words(2 * kRootSlots, 0);
    Builder builder(words);
    std::size_t next = 0;
    for (const unsigned version : {4U, 6U}) {
        Sweep sweep;
        while (next < leaves.size() && leaves[next].prefix.address.version == version) {
            sweep.add(leaves[next++]);
        }
        builder.fill_root(sweep.finish(), version == 4 ? 0 : kRootSlots);
    }
    words.push_back(0);  // a path node at the very end may be read one word further
    words.shrink_to_fit();
    if (builder.full()) {
        return base::Error{"the registry has more prefixes than one tree can hold; split it"};
    }
    RadixTree tree;
    tree.words_ = std::move(words);
    return tree;
}

}  // namespace flowclass::registry
