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

constexpr unsigned kMostBits = 128;
constexpr unsigned kBitsBeforeV4 = 96;  // an IPv4 address is used up where an IPv6 one is

bool is_root_bits(std::uint32_t bits) noexcept {
    return bits >= RadixTree::kLeastRootBits && bits <= RadixTree::kMostRootBits;
}

class Checker {
  public:
    Checker(Words words, std::size_t id_count) : words_(words), id_count_(id_count) {
        marks_.resize(words.size());
    }

    bool holds() {
        if (words_.size() < RadixTree::kHeaderWords || !is_root_bits(words_[0]) ||
            !is_root_bits(words_[1])) {
            return false;
        }
        const std::size_t buckets = words_[2];
        if (buckets == 0 || buckets > words_.size() / RadixTree::kBucketWords ||
            !all_zero(words_.subspan(3, RadixTree::kHeaderWords - 3))) {
            return false;
        }
        const std::size_t first_v4 = RadixTree::kHeaderWords + buckets * RadixTree::kBucketWords;
        const std::size_t first_v6 = first_v4 + (std::size_t{1} << words_[0]);
        first_node_ = first_v6 + (std::size_t{1} << words_[1]);
        if (words_.size() < first_node_ + RadixTree::kTailWords) {
            return false;
        }
        tail_ = words_.size() - RadixTree::kTailWords;
        if (!all_zero(words_.subspan(tail_)) || !table_leads(buckets) ||
            !all_lead(first_v4, first_v6 - first_v4, tail_, kBitsBeforeV4 + words_[0]) ||
            !all_lead(first_v6, first_node_ - first_v6, tail_, words_[1])) {
            return false;
        }
        leaves_ = 0;  // those of nodes alone count
        for (std::size_t node = tail_; node-- > first_node_;) {
            if (marks_[node].kind != 0 && !node_holds(node)) {
                return false;
            }
        }
        return true;
    }

    // Slots of nodes that are ids, once holds() was asked.
    [[nodiscard]] std::size_t leaves() const noexcept { return leaves_; }

  private:
    struct Mark {
        std::uint8_t kind = 0;   // a Kind; leaf = no slot leads here
        std::uint8_t bits = 0;   // the most bits of an address that are used up on the way here
        bool is_picked = false;  // from a node that uses up no bits
    };

    static bool all_zero(Words words) {
        return std::all_of(
            words.begin(), words.end(), [](std::uint32_t word) { return word == 0; });
    }

    bool table_leads(std::size_t buckets) {
        for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
            const std::size_t slots = RadixTree::kHeaderWords + RadixTree::kBucketBlocks +
                                      bucket * RadixTree::kBucketWords;
            if (!all_lead(slots, RadixTree::kBucketBlocks, tail_, RadixTree::kBlockBits)) {
                return false;
            }
        }
        return true;
    }

    // Whether a slot of the node at `parent` leads to an id or to a node before it.
    bool leads(std::uint32_t slot, std::size_t parent, unsigned bits) {
        const auto kind = static_cast<Kind>(slot >> RadixTree::kIndexBits);
        const std::size_t target = slot & RadixTree::kMaxId;
        if (kind == Kind::leaf) {
            ++leaves_;
            return target < id_count_;
        }
        if (target < first_node_ || target >= parent || bits >= kMostBits) {
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

    // Every node begins before the tail, so that its first kTailWords words are there.
    bool node_holds(std::size_t node) {
        const unsigned bits = marks_[node].bits;
        switch (static_cast<Kind>(marks_[node].kind)) {
            case Kind::path:
                return path_holds(node, bits);
            case Kind::range:
                return range_holds(node, bits);
            case Kind::dense:
                return words_.size() - node >= 9 && ranks_hold(node) &&
                       all_lead(node + 9, dense_slots(node), node, bits + RadixTree::kDenseBits);
            case Kind::leaf:
                break;
        }
        return true;
    }

    bool path_holds(std::size_t node, unsigned bits) {
        const std::uint32_t compared = words_[node] & 0xffU;
        return compared >= 1 && compared <= kMostBits - bits && compared < kMostBits &&
               all_lead(node + 1, 2, node, bits + compared);
    }

    // A node that uses up no bits leads to range nodes that do, so that a walk is never longer than
    // an address.
    bool range_holds(std::size_t node, unsigned bits) {
        const std::uint32_t head = std::bit_cast<std::array<std::uint16_t, 2>>(words_[node])[0];
        const std::size_t bounds = head & 0xffU;
        const unsigned used = head >> 8U;
        if (bounds < 1 || bounds > RadixTree::kMostBounds) {
            return false;
        }
        const std::size_t slots = node + bounds / 2 + 1;
        if (used == RadixTree::kRangeBits) {
            return all_lead(slots, bounds + 1, node, bits + used);
        }
        return used == 0 && !marks_[node].is_picked && all_lead(slots, bounds + 1, node, bits) &&
               all_picked(slots, bounds + 1);
    }

    bool all_picked(std::size_t first, std::size_t count) {
        const Words slots = words_.subspan(first, count);
        return std::all_of(slots.begin(), slots.end(), [&](std::uint32_t slot) {
            if (static_cast<Kind>(slot >> RadixTree::kIndexBits) != Kind::range) {
                return false;
            }
            marks_[slot & RadixTree::kMaxId].is_picked = true;
            return true;
        });
    }

    [[nodiscard]] std::size_t bits_set(std::size_t node, std::size_t word) const {
        return static_cast<std::size_t>(std::popcount(words_[node + 2 * word])) +
               static_cast<std::size_t>(std::popcount(words_[node + 2 * word + 1]));
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
    std::size_t first_node_ = 0;
    std::size_t tail_ = 0;
    std::size_t leaves_ = 0;
    std::vector<Mark> marks_;
};

}  // namespace

base::Result<RadixTree> RadixTree::adopt(std::span<const std::uint32_t> words,
                                         std::size_t id_count) {
    if (words.size() > std::size_t{kMaxId} + RadixTree::kTailWords) {
        return base::Error{"it has a number of words that no tree has"};
    }
    if (id_count == 0 || !Checker(words, id_count).holds()) {
        return base::Error{"a slot leads where no node or set is"};
    }
    RadixTree tree;
    tree.own_ = nullptr;
    tree.words_ = words;
    return tree;
}

std::size_t RadixTree::leaf_bytes() const {
    Checker checker(words_, std::size_t{kMaxId} + 1);
    return checker.holds() ? checker.leaves() * sizeof(std::uint32_t) : 0;
}

}  // namespace flowclass::registry
