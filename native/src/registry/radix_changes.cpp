// Sweeps over sorted prefixes, the open ones on a stack; gathers changes by block.
#include "registry/radix_changes.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "registry/radix_tree.hpp"

namespace flowclass::registry {

namespace {

constexpr std::size_t kLeastChangesPerBlock = 4;  // fewer are not worth a place in the table
constexpr std::size_t kSmallTable = 16384;        // blocks: a table that costs nothing anyway
constexpr std::size_t kUsualPerBucket = 4;        // of 8 places: so one block in 200 finds none
constexpr unsigned kBitsBehind = 128 - RadixTree::kBlockBits;

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

std::uint32_t block_of(const Change& change) noexcept {
    return static_cast<std::uint32_t>(change.start >> kBitsBehind);
}
Key base_of(std::uint32_t block) noexcept {
    return static_cast<Key>(block) << kBitsBehind;
}

// All blocks with changes, but those that have one answer and, to go by what comes next, are not
// alone in it.
std::vector<BlockPlan::Block> blocks_of(Changes changes) {
    std::vector<BlockPlan::Block> blocks;
    std::uint32_t id = 0;
    for (std::size_t at = 0; at < changes.size();) {
        BlockPlan::Block block{block_of(changes[at]), id, 0, at, 0};
        while (at < changes.size() && block_of(changes[at]) == block.key) {
            id = changes[at++].id;
        }
        if (changes[block.first].start == base_of(block.key)) {
            block.id = changes[block.first++].id;
        }
        block.count = at - block.first;
        const bool ends_here = at < changes.size() && block.key != UINT32_MAX &&
                               changes[at].start == base_of(block.key + 1);
        if (block.count > 0 || (block.id != 0 && ends_here)) {
            blocks.push_back(block);
        }
    }
    return blocks;
}

// The changes outside the blocks; behind a block its last answer goes on.
std::vector<Change> rest_of(Changes changes, std::span<const BlockPlan::Block> blocks) {
    std::vector<Change> rest;
    const auto emit = [&](Key start, std::uint32_t id) {
        if ((rest.empty() ? 0 : rest.back().id) != id) {
            rest.push_back({start, id});
        }
    };
    std::size_t at = 0;
    for (const BlockPlan::Block& block : blocks) {
        for (; at < block.first && changes[at].start < base_of(block.key); ++at) {
            emit(changes[at].start, changes[at].id);
        }
        at = block.first + block.count;
        const bool goes_on = block.key != UINT32_MAX &&
                             (at == changes.size() || changes[at].start != base_of(block.key + 1));
        if (goes_on) {
            emit(base_of(block.key + 1), block.count > 0 ? changes[at - 1].id : block.id);
        }
    }
    for (; at < changes.size(); ++at) {
        emit(changes[at].start, changes[at].id);
    }
    return rest;
}

}  // namespace

std::vector<Change> changes_of(std::span<const PrefixLeaf> leaves) {
    Sweep sweep;
    for (const PrefixLeaf& leaf : leaves) {
        sweep.add(leaf);
    }
    return sweep.finish();
}

BlockPlan plan_blocks(Changes changes) {
    BlockPlan plan;
    std::vector<BlockPlan::Block> blocks = blocks_of(changes);
    if (blocks.size() > std::max(kSmallTable, changes.size() / kLeastChangesPerBlock)) {
        blocks.clear();
    }
    plan.buckets = 1 + blocks.size() / kUsualPerBucket;
    std::vector<std::uint8_t> used(plan.buckets, 0);
    for (BlockPlan::Block& block : blocks) {
        const std::size_t bucket = RadixTree::bucket_of(block.key, plan.buckets);
        if (used[bucket] < RadixTree::kBucketBlocks) {
            block.place =
                static_cast<std::uint32_t>(bucket * RadixTree::kBucketWords) + used[bucket]++;
            plan.blocks.push_back(block);
        }
    }
    plan.rest = rest_of(changes, plan.blocks);
    return plan;
}

}  // namespace flowclass::registry
