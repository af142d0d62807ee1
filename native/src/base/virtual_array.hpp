// An array of fixed address and huge capacity whose pages cost memory only once they are touched.
// Takes: a capacity at open. Gives: zero-filled elements. Guarantees: no allocation after open,
// elements never move; a reservation that the system refuses leaves capacity 0.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/prefetch.hpp"

namespace flowclass::base {

template <typename T>
class VirtualArray {
    static_assert(std::is_trivially_destructible_v<T>, "pages are unmapped, not destroyed");

  public:
    VirtualArray() noexcept = default;
    explicit VirtualArray(std::size_t capacity) noexcept {
        if (capacity == 0) {
            return;
        }
        void* memory = mmap(nullptr,
                            capacity * sizeof(T),
                            PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                            -1,
                            0);
        if (memory == MAP_FAILED) {
            return;
        }
        // Fewer TLB misses where the kernel has huge pages; advice only.
        static_cast<void>(madvise(memory, capacity * sizeof(T), MADV_HUGEPAGE));
        elements_ = static_cast<T*>(memory);
        capacity_ = capacity;
    }
    VirtualArray(VirtualArray&& other) noexcept
        : elements_(std::exchange(other.elements_, nullptr)),
          capacity_(std::exchange(other.capacity_, 0)) {}
    VirtualArray& operator=(VirtualArray&& other) noexcept {
        std::swap(elements_, other.elements_);
        std::swap(capacity_, other.capacity_);
        return *this;
    }
    VirtualArray(const VirtualArray&) = delete;
    VirtualArray& operator=(const VirtualArray&) = delete;
    ~VirtualArray() {
        if (elements_ != nullptr) {
            munmap(elements_, capacity_ * sizeof(T));
        }
    }

    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    // NOLINTBEGIN(cppcoreguidelines-pro-bounds-pointer-arithmetic): this is the array itself
    T& operator[](std::size_t index) noexcept { return elements_[index]; }
    const T& operator[](std::size_t index) const noexcept { return elements_[index]; }
    // NOLINTEND(cppcoreguidelines-pro-bounds-pointer-arithmetic)

  private:
    T* elements_ = nullptr;
    std::size_t capacity_ = 0;
};

// Slots of a VirtualArray handed out and taken back: a free list threaded through the freed slots'
// numbers.
template <typename T>
class Pool {
    struct Slot {
        std::uint32_t next_free;
        T value;
    };

  public:
    static constexpr std::uint32_t kNone = 0xffffffff;
    static constexpr std::size_t kSlotBytes = sizeof(Slot);

    Pool() noexcept = default;
    explicit Pool(std::size_t capacity) noexcept : slots_(capacity) {}

    // kNone when all are taken.
    std::uint32_t acquire() noexcept {
        std::uint32_t index = free_;
        if (index != kNone) {
            free_ = slots_[index].next_free;
            if (free_ != kNone) {
                // The next one asked for, long since left by the cache: its front is filled first.
                prefetch_front<kFront>(slots_[free_]);
            }
        } else if (fresh_ < slots_.capacity()) {
            index = fresh_++;
        } else {
            return kNone;
        }
        ++used_;
        return index;
    }
    void release(std::uint32_t index) noexcept {
        slots_[index].next_free = free_;
        free_ = index;
        --used_;
    }
    // Which slots are free, the next to be taken first; how many were ever taken. Loading fills a
    // new pool and says in `taken` which slots are not to be put().
    template <typename Archive>
    void keep_places(Archive& archive, std::vector<bool>& taken) {
        archive.up_to(fresh_, static_cast<std::uint32_t>(slots_.capacity()));
        taken.assign(Archive::kLoads ? fresh_ : 0, false);
        const std::size_t count = archive.count(fresh_ - used_, fresh_, sizeof(std::uint32_t));
        std::uint32_t* link = &free_;
        for (std::size_t number = 0; archive.ok() && number < count; ++number) {
            std::uint32_t index = *link;
            archive(index);
            if constexpr (Archive::kLoads) {
                archive.require(index < fresh_ && !taken[index]);
                if (!archive.ok()) {
                    return;
                }
                taken[index] = true;
                *link = index;
                slots_[index].next_free = kNone;
            }
            link = &slots_[index].next_free;
        }
    }
    // Takes a slot that keep_places() left.
    void put() noexcept { ++used_; }

    T& operator[](std::uint32_t index) noexcept { return slots_[index].value; }
    const T& operator[](std::uint32_t index) const noexcept { return slots_[index].value; }
    void prefetch(std::uint32_t index) const noexcept { base::prefetch(slots_[index]); }

    [[nodiscard]] std::size_t used() const noexcept { return used_; }
    [[nodiscard]] std::size_t touched() const noexcept {
        return fresh_;
    }  // the most that were ever in use
    [[nodiscard]] std::size_t capacity() const noexcept { return slots_.capacity(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return touched() * sizeof(Slot); }

  private:
    static constexpr std::size_t kFront = sizeof(Slot) < 4 * kLine ? sizeof(Slot) : 4 * kLine;

    VirtualArray<Slot> slots_;
    std::uint32_t free_ = kNone;
    std::uint32_t fresh_ = 0;
    std::size_t used_ = 0;
};

}  // namespace flowclass::base
