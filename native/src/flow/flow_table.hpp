// Flows by key. Takes: keys with their hash. Gives: slots that stay where they are while the flow
// lives. Open addressing with linear probing over 8-octet entries (hash tag, slot number), full key
// compared, backward-shift deletion; the slots lie in a reserved array and never move. The table
// knows only `Value`; what a flow is, the engine says. The tag is the hash's lower half, which says
// the home too, so the index is searched, grown and closed up without a look at a slot; the wheel's
// links lie apart, since their neighbours are any flows. Guarantees: at most `capacity` flows; the
// index grows by doubling, nothing else is allocated after open. A look-up is short as long as
// whoever makes keys does not know the hash; when that does not hold any more the table says so
// (crowded()), and the caller gives it another hash (rehash()).
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include "base/virtual_array.hpp"
#include "flow/flow_key.hpp"
#include "flow/timer_wheel.hpp"

namespace flowclass::flow {

// HotBytes: what of a value is read and written at every packet, at its front.
template <typename Value, std::size_t HotBytes = sizeof(Value)>
class FlowTable {
  public:
    struct Slot {
        std::uint32_t tag;
        FlowKey key;
        Value value;
    };

    explicit FlowTable(std::size_t capacity)
        : slots_(capacity), links_(slots_.capacity()), index_(kFirstEntries) {}

    [[nodiscard]] std::size_t size() const noexcept { return used_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return links_.capacity(); }
    [[nodiscard]] std::size_t peak() const noexcept { return fresh_; }
    [[nodiscard]] bool full() const noexcept { return used_ == capacity(); }
    [[nodiscard]] std::size_t bytes() const noexcept {
        return fresh_ * (sizeof(Slot) + sizeof(WheelLink)) + index_.capacity() * sizeof(Entry);
    }
    static constexpr std::size_t bytes_per_flow() noexcept {
        return sizeof(Slot) + sizeof(WheelLink) + 2 * sizeof(Entry);
    }

    // True once a key lay further from its home, or one's going made more of them move up, than
    // happens to keys that nobody chose. In an index that is half full at most, the chance that a
    // run of n entries begins at a place is below e^(-n(ln 2 - 1/2)) (Chernoff's bound on n keys
    // in n places where n/2 are expected): 2^-142 for kLongRun.
    [[nodiscard]] bool crowded() const noexcept { return crowded_; }
    // Places all flows by another hash of their keys, given as hash_of(key). Slots stay.
    template <typename HashOf>
    void rehash(HashOf&& hash_of) noexcept;

    Slot& operator[](std::uint32_t slot) noexcept { return slots_[slot]; }
    const Slot& operator[](std::uint32_t slot) const noexcept { return slots_[slot]; }
    auto links() noexcept {
        return [this](std::uint32_t slot) -> WheelLink& { return links_[slot]; };
    }

    void prefetch_index(std::uint64_t hash) const noexcept {
        base::prefetch_line(&index_[hash & mask_]);
    }
    // The slot that the hash belongs to, or none: nothing but the index is read, so another hash of
    // the same lower half may be taken for it.
    [[nodiscard]] std::uint32_t likely(std::uint64_t hash) const noexcept {
        const auto tag = static_cast<std::uint32_t>(hash);
        for (std::uint64_t place = hash & mask_;; place = (place + 1) & mask_) {
            const Entry& entry = index_[place];
            if (entry.none() || entry.tag == tag) {
                return entry.slot();
            }
        }
    }
    // The second step of a burst: the index line is there now, fetch what a packet needs of the
    // slot it names. Gives that slot, as likely() does.
    [[nodiscard]] std::uint32_t prefetch_slot(std::uint64_t hash) const noexcept {
        const std::uint32_t slot = likely(hash);
        if (slot != kNoSlot) {
            base::prefetch_front<kHotSlot>(slots_[slot]);
        }
        return slot;
    }
    // What a packet needs of a slot.
    void prefetch_hot(std::uint32_t slot) const noexcept {
        base::prefetch_front<kHotSlot>(slots_[slot]);
    }
    // All of a slot, and where it stands in the index once it is here.
    void prefetch(std::uint32_t slot) const noexcept { base::prefetch(slots_[slot]); }
    void prefetch_place(std::uint32_t slot) const noexcept { prefetch_index(slots_[slot].tag); }

    [[nodiscard]] std::uint32_t find(const FlowKey& key, std::uint64_t hash) const noexcept {
        const auto tag = static_cast<std::uint32_t>(hash);
        for (std::uint64_t place = hash & mask_;; place = (place + 1) & mask_) {
            const Entry& entry = index_[place];
            if (entry.none()) {
                return kNoSlot;
            }
            if (entry.tag == tag && slots_[entry.slot()].key == key) {
                return entry.slot();
            }
        }
    }

    // The key must not be there and the table not full. The slot's value is what the last flow
    // left: the caller sets it.
    std::uint32_t insert(const FlowKey& key, std::uint64_t hash) noexcept {
        if ((used_ + 1) * 2 > index_.capacity()) {
            grow();
        }
        const std::uint32_t slot = acquire();
        Slot& made = slots_[slot];
        made.key = key;
        made.tag = static_cast<std::uint32_t>(hash);
        place(made.tag, slot);
        return slot;
    }

    void erase(std::uint32_t slot) noexcept {
        std::uint64_t hole = slots_[slot].tag & mask_;
        while (index_[hole].slot() != slot) {
            hole = (hole + 1) & mask_;
        }
        const std::uint64_t begin = hole;
        std::uint64_t next = (hole + 1) & mask_;
        // Entries behind the hole move up unless that would put them before their home.
        for (; !index_[next].none(); next = (next + 1) & mask_) {
            const std::uint64_t home = index_[next].tag & mask_;
            if (((next - home) & mask_) >= ((next - hole) & mask_)) {
                index_[hole] = index_[next];
                hole = next;
            }
        }
        crowded_ = crowded_ || ((next - begin) & mask_) > kLongRun;
        index_[hole] = {};
        links_[slot] = {.next = free_, .previous = kNoSlot, .bucket = kFreed};
        free_ = slot;
        --used_;
    }

    // Which slots are free, the next to be taken first; how many were ever taken. Loading fills a
    // new table and says in `taken` which slots are not to be put().
    template <typename Archive>
    void keep_places(Archive& archive, std::vector<bool>& taken);
    // A flow into the slot that it had, one that keep_places() left to it.
    void put(std::uint32_t slot, const FlowKey& key, std::uint64_t hash) {
        if ((used_ + 1) * 2 > index_.capacity()) {
            grow();
        }
        ++used_;
        links_[slot] = {};
        slots_[slot].key = key;
        slots_[slot].tag = static_cast<std::uint32_t>(hash);
        place(slots_[slot].tag, slot);
    }

    // visit(slot number), which may erase that slot; in the order in which the slots lie, so that
    // one is here when its neighbour was looked at. The caller sorts.
    template <typename Visit>
    void for_each(Visit&& visit) {
        for (std::uint32_t slot = 0; slot < fresh_; ++slot) {
            if (slot + kAhead < fresh_) {
                base::prefetch_line(&slots_[slot + kAhead].tag);
            }
            if (slot + kAhead / 2 < fresh_) {
                prefetch_place(slot + kAhead / 2);
            }
            if (links_[slot].bucket != kFreed) {
                visit(slot);
            }
        }
    }

  private:
    struct Entry {
        std::uint32_t tag = 0;
        std::uint32_t number = 0;  // of the slot, from 1: a fresh page has no entry

        [[nodiscard]] bool none() const noexcept { return number == 0; }
        [[nodiscard]] std::uint32_t slot() const noexcept { return number - 1; }
    };
    static constexpr std::size_t kFirstEntries = 1U << 12U;
    static constexpr std::uint64_t kLongRun = 512;
    static constexpr std::uint32_t kFreed = kNoSlot - 1;  // no bucket: the slot is in no use
    static constexpr std::uint32_t kAhead = 16;
    static constexpr std::size_t kHotSlot = offsetof(Slot, value) + HotBytes;

    // A freed slot's link names the next free one.
    std::uint32_t acquire() noexcept {
        std::uint32_t slot = fresh_;
        if (free_ != kNoSlot) {
            slot = free_;
            free_ = links_[slot].next;
        } else {
            ++fresh_;
        }
        links_[slot] = {};
        ++used_;
        return slot;
    }

    void place(std::uint32_t tag, std::uint32_t slot) noexcept {
        std::uint64_t at = tag & mask_;
        while (!index_[at].none()) {
            at = (at + 1) & mask_;
        }
        crowded_ = crowded_ || ((at - tag) & mask_) > kLongRun;
        index_[at] = {tag, slot + 1};
    }

    void grow() noexcept {
        base::VirtualArray<Entry> wider(index_.capacity() * 2);
        if (wider.capacity() == 0) {
            std::terminate();  // as where any other memory for a few flows more is refused
        }
        const base::VirtualArray<Entry> old = std::exchange(index_, std::move(wider));
        mask_ = index_.capacity() - 1;
        for (std::size_t at = 0; at < old.capacity(); ++at) {
            if (!old[at].none()) {
                place(old[at].tag, old[at].slot());
            }
        }
    }

    base::VirtualArray<Slot> slots_;
    base::VirtualArray<WheelLink> links_;
    base::VirtualArray<Entry> index_;  // on huge pages: each look goes to another place
    std::uint64_t mask_ = kFirstEntries - 1;
    std::uint32_t free_ = kNoSlot;
    std::uint32_t fresh_ = 0;
    std::size_t used_ = 0;
    bool crowded_ = false;
};

template <typename Value, std::size_t HotBytes>
template <typename HashOf>
void FlowTable<Value, HotBytes>::rehash(HashOf&& hash_of) noexcept {
    base::VirtualArray<Entry> other(index_.capacity());
    crowded_ = false;
    if (other.capacity() == 0) {
        return;  // slow as it is rather than gone
    }
    const base::VirtualArray<Entry> old = std::exchange(index_, std::move(other));
    for (std::size_t at = 0; at < old.capacity(); ++at) {
        if (!old[at].none()) {
            const std::uint32_t slot = old[at].slot();
            slots_[slot].tag = static_cast<std::uint32_t>(hash_of(slots_[slot].key));
            place(slots_[slot].tag, slot);
        }
    }
}

template <typename Value, std::size_t HotBytes>
template <typename Archive>
void FlowTable<Value, HotBytes>::keep_places(Archive& archive, std::vector<bool>& taken) {
    archive.up_to(fresh_, static_cast<std::uint32_t>(capacity()));
    taken.assign(Archive::kLoads ? fresh_ : 0, false);
    const std::size_t count = archive.count(fresh_ - used_, fresh_, sizeof(std::uint32_t));
    std::uint32_t* link = &free_;
    for (std::size_t number = 0; archive.ok() && number < count; ++number) {
        std::uint32_t slot = *link;
        archive(slot);
        if constexpr (Archive::kLoads) {
            archive.require(slot < fresh_ && !taken[slot]);
            if (!archive.ok()) {
                return;
            }
            taken[slot] = true;
            *link = slot;
            links_[slot] = {.next = kNoSlot, .previous = kNoSlot, .bucket = kFreed};
        }
        link = &links_[slot].next;
    }
}

}  // namespace flowclass::flow
