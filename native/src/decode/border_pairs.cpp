#include "decode/border_pairs.hpp"

namespace flowclass::decode {

namespace {

constexpr std::size_t kFirstPlaces = 1024;
// Fixed, so that tasks on different machines agree; nothing is looked up by it, so colliding
// addresses cost balance between tasks and nothing else.
constexpr base::HashKey kPartitionKey{0x666c6f77636c6173U, 0x7061727469746e73U};

template <typename Hash>
std::uint64_t hash_of(const AddressPair& pair, Hash hash) noexcept {
    hash.add(pair.low.high);
    hash.add(pair.low.low);
    hash.add(pair.high.high);
    hash.add(pair.high.low);
    return hash.finish();
}

}  // namespace

std::uint32_t partition_hash(const AddressPair& pair) noexcept {
    return static_cast<std::uint32_t>(hash_of(pair, base::NameHash(kPartitionKey)));
}

BorderPairs::BorderPairs(BorderOptions options, base::HashKey key)
    : options_(options), key_(key), index_(kFirstPlaces, kNone) {}

void BorderPairs::note(const AddressPair& pair,
                       base::TimeNs time,
                       base::TimeNs clock,
                       std::uint64_t frame) {
    if (!begun_) {
        begun_ = true;
        begin_ = time;
    }
    Entry& entry = entry_of(pair);
    // A late frame counts by its own time, which is the nearer one: links are judged by it.
    const bool is_new = entry.tail_from == 0;
    if (is_new || time > base::saturating_add(entry.last, options_.gap)) {
        entry.tail_from = frame;
        entry.near_begin = time <= base::saturating_add(
                                       base::saturating_add(begin_, options_.slack), options_.gap);
    }
    if (entry.near_begin) {
        entry.head_until = frame;
    }
    entry.last = is_new ? clock : std::max(entry.last, clock);
}

bool BorderPairs::is_carried(const AddressPair& pair, std::uint64_t frame) const noexcept {
    const std::uint32_t found = index_[place_of(pair)];
    if (found == kNone) {
        return false;
    }
    const Entry& entry = entries_[found];
    if (frame <= entry.head_until) {
        return true;
    }
    const base::TimeNs over = base::saturating_add(entry.last, options_.gap);
    return frame >= entry.tail_from && base::saturating_add(over, options_.slack) >= end_;
}

// Where the pair stands in the index, or would.
std::size_t BorderPairs::place_of(const AddressPair& pair) const noexcept {
    const std::size_t mask = index_.size() - 1;
    std::size_t place = hash_of(pair, base::TableHash(key_)) & mask;
    while (index_[place] != kNone && entries_[index_[place]].pair != pair) {
        place = (place + 1) & mask;
    }
    return place;
}

BorderPairs::Entry& BorderPairs::entry_of(const AddressPair& pair) {
    const std::size_t place = place_of(pair);
    if (index_[place] != kNone) {
        return entries_[index_[place]];
    }
    index_[place] = static_cast<std::uint32_t>(entries_.size());
    entries_.push_back({pair});
    if (entries_.size() * 2 > index_.size()) {
        grow();
    }
    return entries_.back();
}

void BorderPairs::grow() {
    index_.assign(index_.size() * 2, kNone);
    for (std::size_t number = 0; number < entries_.size(); ++number) {
        index_[place_of(entries_[number].pair)] = static_cast<std::uint32_t>(number);
    }
}

}  // namespace flowclass::decode
