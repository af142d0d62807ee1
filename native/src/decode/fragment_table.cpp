// A ring of entries with a chained index over it.
#include "decode/fragment_table.hpp"

#include <algorithm>
#include <bit>

namespace flowclass::decode {

namespace {
constexpr std::size_t kMaxEntries = std::size_t{1} << 24U;
}

FragmentTable::FragmentTable(std::size_t entries, base::TimeNs timeout, base::HashKey hash_key)
    : hash_key_(hash_key),
      timeout_(timeout),
      entries_(std::clamp<std::size_t>(entries, 1, kMaxEntries)),
      buckets_(std::bit_ceil(entries_.size()), kNone) {}

std::size_t FragmentTable::bucket_of(const FragmentKey& key) const noexcept {
    base::TableHash hash(hash_key_);
    hash.add(key.src.high);
    hash.add(key.src.low);
    hash.add(key.dst.high);
    hash.add(key.dst.low);
    hash.add(std::uint64_t{key.id} << 32U | key.overlay);
    hash.add(std::uint64_t{key.ip_proto} << 8U | key.src.version);
    return hash.finish() & (buckets_.size() - 1);
}

std::uint32_t FragmentTable::entry_of(const FragmentKey& key, std::size_t bucket) const noexcept {
    std::uint32_t index = buckets_[bucket];
    while (index != kNone && !(entries_[index].key == key)) {
        index = entries_[index].next;
    }
    return index;
}

// Time in a capture may run backwards a little; far off in either direction is another datagram.
bool FragmentTable::alive(const Entry& entry, base::TimeNs now) const noexcept {
    const base::TimeNs age = base::saturating_subtract(now, entry.time);
    return entry.used && age <= timeout_ && age >= base::saturating_subtract(0, timeout_);
}

void FragmentTable::unlink(std::uint32_t index) noexcept {
    std::uint32_t* link = &buckets_[bucket_of(entries_[index].key)];
    while (*link != index) {
        link = &entries_[*link].next;
    }
    *link = entries_[index].next;
}

bool FragmentTable::learn(const FragmentKey& key,
                          const FragmentFacts& facts,
                          base::TimeNs now) noexcept {
    const std::size_t bucket = bucket_of(key);
    const std::uint32_t known = entry_of(key, bucket);
    if (known != kNone) {
        entries_[known].facts = facts;
        entries_[known].time = now;
        return true;
    }
    const auto index = static_cast<std::uint32_t>(oldest_);
    Entry& entry = entries_[oldest_];
    oldest_ = oldest_ + 1 == entries_.size() ? 0 : oldest_ + 1;
    const bool evicts = alive(entry, now);
    if (entry.used) {
        unlink(index);
    }
    entry = {key, facts, buckets_[bucket], true, now};
    buckets_[bucket] = index;
    return !evicts;
}

const FragmentFacts* FragmentTable::find(const FragmentKey& key, base::TimeNs now) const noexcept {
    const std::uint32_t index = entry_of(key, bucket_of(key));
    return index != kNone && alive(entries_[index], now) ? &entries_[index].facts : nullptr;
}

}  // namespace flowclass::decode
