// Takes words from a file over as a tree (radix_tree.hpp), after following every slot that an
// address could. Guarantees: once taken over, no address leads outside the words, and every walk
// ends within the bits of an address.
//
// The words do not say by themselves where a node begins and of which kind it is; only a slot does.
// As children stand before parents, one pass from the last word to the first sees every node after
// all slots that lead to it: they have left its kind and the most bits that lie before it.
#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "registry/radix_tree.hpp"

namespace flowclass::registry {

namespace {

using Kind = RadixTree::Kind;
using Words = std::span<const std::uint32_t>;

constexpr std::size_t kFirstNode = 2 * RadixTree::kRootSlots;
constexpr unsigned kRootBits = 16;
constexpr unsigned kMaxPathBits = 56;
constexpr unsigned kOctetBits = 8;
constexpr unsigned kMostBits = 128;
constexpr std::size_t kMostSparseSlots = 9;

class Checker {
  public:
    Checker(Words words, std::size_t id_count) : words_(words), id_count_(id_count) {
        marks_.resize(words.size());
    }

    bool holds() {
        for (std::size_t slot = 0; slot < kFirstNode; ++slot) {
            if (!leads(words_[slot], words_.size(), kRootBits)) {
                return false;
            }
        }
        for (std::size_t node = words_.size(); node-- > kFirstNode;) {
            if (marks_[node].kind != 0 && !node_holds(node)) {
                return false;
            }
        }
        return true;
    }

  private:
    struct Mark {
        std::uint8_t kind = 0;  // a Kind; leaf = no slot leads here
        std::uint8_t bits = 0;  // the most bits of an address that are used up on the way here
    };

    // Whether a slot of the node at `parent` leads to an id or to a node before it.
    bool leads(std::uint32_t slot, std::size_t parent, unsigned bits) {
        const auto kind = static_cast<Kind>(slot >> RadixTree::kIndexBits);
        const std::size_t target = slot & RadixTree::kMaxId;
        if (kind == Kind::leaf) {
            return target < id_count_;
        }
        if (target < kFirstNode || target >= parent || bits >= kMostBits) {
            return false;
        }
        Mark& mark = marks_[target];
        if (mark.kind != 0 && mark.kind != static_cast<std::uint8_t>(kind)) {
            return false;
        }
        mark.kind = static_cast<std::uint8_t>(kind);
        mark.bits = std::max(mark.bits, static_cast<std::uint8_t>(bits));
        return true;
    }

    bool all_lead(std::size_t first, std::size_t count, std::size_t parent, unsigned bits) {
        if (first > words_.size() || words_.size() - first < count) {
            return false;
        }
        const Words slots = words_.subspan(first, count);
        return std::all_of(slots.begin(), slots.end(), [&](std::uint32_t slot) {
            return leads(slot, parent, bits);
        });
    }

    bool node_holds(std::size_t node) {
        const std::size_t behind = words_.size() - node;
        const unsigned bits = marks_[node].bits;
        switch (static_cast<Kind>(marks_[node].kind)) {
            case Kind::path:  // find() reads two words of bits even where one is used
                return behind >= 5 && words_[node] >= 1 && words_[node] <= kMaxPathBits &&
                       all_lead(node + 1, 2, node, bits + words_[node]);
            case Kind::sparse:
                return behind >= 2 &&
                       all_lead(node + 2, sparse_slots(node), node, bits + kOctetBits);
            case Kind::dense:
                return behind >= 9 && ranks_hold(node) &&
                       all_lead(node + 9, dense_slots(node), node, bits + kOctetBits);
            case Kind::leaf:
                break;
        }
        return true;
    }

    // One for each run end below 255 and one more: no octet is greater than 255.
    [[nodiscard]] std::size_t sparse_slots(std::size_t node) const {
        std::size_t most = 1;
        for (unsigned place = 0; place < kMostSparseSlots - 1; ++place) {
            most += (words_[node + place / 4] >> (8 * (place % 4)) & 0xffU) != 0xffU ? 1U : 0U;
        }
        return most;
    }
    [[nodiscard]] std::size_t bits_set(std::size_t node, std::size_t word) const {
        return static_cast<std::size_t>(std::popcount(words_[node + 2 * word]) +
                                        std::popcount(words_[node + 2 * word + 1]));
    }
    [[nodiscard]] bool ranks_hold(std::size_t node) const {
        std::size_t before = 0;
        for (unsigned word = 0; word < 4; ++word) {
            if ((words_[node + 8] >> (8 * word) & 0xffU) != before) {
                return false;
            }
            before += bits_set(node, word);
        }
        return true;
    }
    [[nodiscard]] std::size_t dense_slots(std::size_t node) const {
        return 1 + bits_set(node, 0) + bits_set(node, 1) + bits_set(node, 2) + bits_set(node, 3);
    }

    Words words_;
    std::size_t id_count_;
    std::vector<Mark> marks_;
};

}  // namespace

base::Result<RadixTree> RadixTree::adopt(std::span<const std::uint32_t> words,
                                         std::size_t id_count) {
    if (words.size() <= kFirstNode || words.size() > std::size_t{kMaxId} + 2) {
        return base::Error{"it has a number of words that no tree has"};
    }
    if (id_count == 0 || !Checker(words, id_count).holds()) {
        return base::Error{"a slot leads where no node or set is"};
    }
    RadixTree tree;
    tree.words_ = Array<std::uint32_t>::looking_at(words);
    return tree;
}

}  // namespace flowclass::registry
