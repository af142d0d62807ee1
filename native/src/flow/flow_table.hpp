// Flows by key. Takes: keys with their hash. Gives: slots that stay where they are while the flow
// lives. Open addressing with linear probing over 8-octet entries (hash tag, slot number), full key
// compared, backward-shift deletion; the slots lie in a reserved array and never move. The table
// knows only `Value`; what a flow is, the engine says. Guarantees: at most `capacity` flows; the
// index grows by doubling, nothing else is allocated after open.
#pragma once

#include <cstdint>
#include <vector>

#include "base/virtual_array.hpp"
#include "flow/flow_key.hpp"
#include "flow/timer_wheel.hpp"

namespace flowclass::flow {

template <typename Value>
class FlowTable {
  public:
    struct Slot {
        FlowKey key;
        WheelLink wheel;
        std::uint64_t hash;
        Value value;
    };

    explicit FlowTable(std::size_t capacity) : slots_(capacity), index_(kFirstEntries) {}

    [[nodiscard]] std::size_t size() const noexcept { return slots_.used(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return slots_.capacity(); }
    [[nodiscard]] std::size_t peak() const noexcept { return slots_.touched(); }
    [[nodiscard]] bool full() const noexcept { return slots_.used() == slots_.capacity(); }
    [[nodiscard]] std::size_t bytes() const noexcept {
        return slots_.bytes() + index_.size() * sizeof(Entry);
    }
    static constexpr std::size_t bytes_per_flow() noexcept {
        return sizeof(Slot) + 2 * sizeof(Entry);
    }

    Slot& operator[](std::uint32_t slot) noexcept { return slots_[slot]; }
    const Slot& operator[](std::uint32_t slot) const noexcept { return slots_[slot]; }
    auto links() noexcept {
        return [this](std::uint32_t slot) -> WheelLink& { return slots_[slot].wheel; };
    }

    void prefetch_index(std::uint64_t hash) const noexcept {
        base::prefetch_line(&index_[hash & mask_]);
    }
    // The second step of a burst: the index line is there now, fetch the slot it most likely names.
    void prefetch_slot(std::uint64_t hash) const noexcept {
        const Entry& entry = index_[hash & mask_];
        if (entry.slot != kNoSlot) {
            slots_.prefetch(entry.slot);
        }
    }

    // The slot that the hash most likely belongs to, or none; nothing but its index line is read.
    [[nodiscard]] std::uint32_t likely(std::uint64_t hash) const noexcept {
        return index_[hash & mask_].slot;
    }

    void prefetch(std::uint32_t slot) const noexcept { slots_.prefetch(slot); }

    [[nodiscard]] std::uint32_t find(const FlowKey& key, std::uint64_t hash) const noexcept {
        const auto tag = static_cast<std::uint32_t>(hash >> 32U);
        for (std::uint64_t place = hash & mask_;; place = (place + 1) & mask_) {
            const Entry& entry = index_[place];
            if (entry.slot == kNoSlot) {
                return kNoSlot;
            }
            if (entry.tag == tag && slots_[entry.slot].key == key) {
                return entry.slot;
            }
        }
    }

    // The key must not be there and the table not full. The slot's value is what the last flow
    // left: the caller sets it.
    std::uint32_t insert(const FlowKey& key, std::uint64_t hash) noexcept {
        if ((slots_.used() + 1) * 2 > index_.size()) {
            grow();
        }
        const std::uint32_t slot = slots_.acquire();
        Slot& made = slots_[slot];
        made.key = key;
        made.hash = hash;
        made.wheel = {};
        place(static_cast<std::uint32_t>(hash >> 32U), hash, slot);
        return slot;
    }

    void erase(std::uint32_t slot) noexcept {
        const std::uint64_t hash = slots_[slot].hash;
        std::uint64_t hole = hash & mask_;
        while (index_[hole].slot != slot) {
            hole = (hole + 1) & mask_;
        }
        // Entries behind the hole move up unless that would put them before their home.
        for (std::uint64_t next = (hole + 1) & mask_; index_[next].slot != kNoSlot;
             next = (next + 1) & mask_) {
            const std::uint64_t home = slots_[index_[next].slot].hash & mask_;
            if (((next - home) & mask_) >= ((next - hole) & mask_)) {
                index_[hole] = index_[next];
                hole = next;
            }
        }
        index_[hole] = {};
        slots_.release(slot);
    }

    template <typename Visit>  // visit(slot number), in the order of the index: the caller sorts
    void for_each(Visit&& visit) {
        for (const Entry& entry : index_) {
            if (entry.slot != kNoSlot) {
                visit(entry.slot);
            }
        }
    }

  private:
    struct Entry {
        std::uint32_t tag = 0;
        std::uint32_t slot = kNoSlot;
    };
    static constexpr std::size_t kFirstEntries = 1U << 12U;

    void place(std::uint32_t tag, std::uint64_t hash, std::uint32_t slot) noexcept {
        std::uint64_t at = hash & mask_;
        while (index_[at].slot != kNoSlot) {
            at = (at + 1) & mask_;
        }
        index_[at] = {tag, slot};
    }

    void grow() {
        std::vector<Entry> old(index_.size() * 2);
        old.swap(index_);
        mask_ = index_.size() - 1;
        for (const Entry& entry : old) {
            if (entry.slot != kNoSlot) {
                place(entry.tag, slots_[entry.slot].hash, entry.slot);
            }
        }
    }

    base::Pool<Slot> slots_;
    std::vector<Entry> index_;
    std::uint64_t mask_ = kFirstEntries - 1;
};

}  // namespace flowclass::flow
