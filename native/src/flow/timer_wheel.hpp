// Which flows are due, by packet time. Takes: slot numbers with deadlines. Gives: the slots whose
// deadline has passed. A hashed wheel of doubly linked lists threaded through the table's slots;
// scheduling is lazy: a flow that was touched since is asked for its real deadline when it comes
// up, and put back.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/prefetch.hpp"
#include "base/time.hpp"

namespace flowclass::flow {

inline constexpr std::uint32_t kNoSlot = 0xffffffff;

struct WheelLink {
    std::uint32_t next = kNoSlot;
    std::uint32_t previous = kNoSlot;
    std::uint32_t bucket = kNoSlot;
};

class TimerWheel {
  public:
    static constexpr int kTickBits = 27;  // a tick is 2^27 ns, 134 ms
    static constexpr std::size_t kBuckets =
        1U << 12U;  // one turn is 9 minutes; later deadlines go round again

    TimerWheel() : heads_(kBuckets, kNoSlot) {}

    static std::int64_t tick_of(base::TimeNs time) noexcept { return time >> kTickBits; }

    template <typename Links>  // WheelLink& links(slot)
    void schedule(std::uint32_t slot, base::TimeNs deadline, Links&& links) noexcept {
        // Never behind the hand, never a whole turn ahead.
        std::int64_t tick = tick_of(deadline);
        tick = tick <= hand_ ? hand_ + 1 : tick;
        tick = tick >= hand_ + static_cast<std::int64_t>(kBuckets)
                   ? hand_ + static_cast<std::int64_t>(kBuckets) - 1
                   : tick;
        const auto bucket = static_cast<std::uint32_t>(static_cast<std::uint64_t>(tick) % kBuckets);
        WheelLink& link = links(slot);
        link.bucket = bucket;
        link.previous = kNoSlot;
        link.next = heads_[bucket];
        if (link.next != kNoSlot) {
            links(link.next).previous = slot;
        }
        heads_[bucket] = slot;
    }

    template <typename Links>
    void remove(std::uint32_t slot, Links&& links) noexcept {
        WheelLink& link = links(slot);
        if (link.bucket == kNoSlot) {
            return;
        }
        if (link.previous != kNoSlot) {
            links(link.previous).next = link.next;
        } else {
            heads_[link.bucket] = link.next;
        }
        if (link.next != kNoSlot) {
            links(link.next).previous = link.previous;
        }
        link = {};
    }

    // All slots, in the order in which their buckets come up: visit(slot, bucket).
    template <typename Links, typename Visit>
    void for_each(Links&& links, Visit&& visit) const {
        for (std::size_t step = 0; step < kBuckets; ++step) {
            const std::size_t bucket =
                static_cast<std::uint64_t>(hand_ + 1 + static_cast<std::int64_t>(step)) % kBuckets;
            for (std::uint32_t slot = heads_[bucket]; slot != kNoSlot; slot = links(slot).next) {
                visit(slot, static_cast<std::uint32_t>(bucket));
            }
        }
    }
    // How many turns of the hand by a tick, less one, until it comes by this bucket.
    [[nodiscard]] std::uint64_t steps_to(std::uint32_t bucket) const noexcept {
        return (bucket - static_cast<std::uint64_t>(hand_) - 1) % kBuckets;
    }
    // Puts a slot into a bucket behind its last one, or kNoSlot where it has none yet.
    template <typename Links>
    void put_behind(std::uint32_t slot,
                    std::uint32_t bucket,
                    std::uint32_t last,
                    Links&& links) noexcept {
        links(slot) = {kNoSlot, last, bucket};
        (last == kNoSlot ? heads_[bucket] : links(last).next) = slot;
    }

    // Where the hand stands before anything is scheduled.
    void start(base::TimeNs now) noexcept { hand_ = tick_of(now) - 1; }

    // Turns the hand to `now`; `due(slot)` is called for each slot in a bucket passed, already
    // taken out of the wheel: it puts the slot back with schedule() or ends it. All deadlines in
    // ticks before tick_of(now) have been seen afterwards.
    // Before that `coming(slot)` is told each of them, to fetch it, and once it should be here
    // `near(slot)`, to fetch what it names.
    template <typename Links, typename Coming, typename Near, typename Due>
    void advance(
        base::TimeNs now, Links&& links, Coming&& coming, Near&& near, Due&& due) noexcept {
        const std::int64_t target = tick_of(now) - 1;
        if (target - hand_ >= static_cast<std::int64_t>(kBuckets)) {
            // A jump over a whole turn visits every bucket once, with the hand already there: what
            // is put back counts from it.
            hand_ = target;
            for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
                visit(bucket, links, coming, near, due);
            }
            return;
        }
        while (hand_ < target) {
            ++hand_;
            visit(static_cast<std::uint64_t>(hand_) % kBuckets, links, coming, near, due);
        }
    }

    // The first slot scheduled to come up next, for eviction; kNoSlot when the wheel is empty.
    [[nodiscard]] std::uint32_t nearest() const noexcept {
        for (std::size_t step = 1; step <= kBuckets; ++step) {
            const std::size_t bucket =
                static_cast<std::uint64_t>(hand_ + static_cast<std::int64_t>(step)) % kBuckets;
            if (heads_[bucket] != kNoSlot) {
                return heads_[bucket];
            }
        }
        return kNoSlot;
    }

  private:
    static constexpr std::size_t kComing = 16;  // slots ahead of the one that is due
    static constexpr std::size_t kNear = 4;

    // While slots are worked on the next ones are gathered: a list's next slot is known only once
    // this one's link is here.
    template <typename Links, typename Coming, typename Near, typename Due>
    void visit(
        std::size_t bucket, Links&& links, Coming&& coming, Near&& near, Due&& due) noexcept {
        std::uint32_t slot = heads_[bucket];
        heads_[bucket] = kNoSlot;
        std::array<std::uint32_t, kComing> ring;
        std::size_t came = 0;
        std::size_t neared = 0;
        for (std::size_t done = 0; slot != kNoSlot || done < came; ++done) {
            // What is gathered hangs on nothing: due() touches its own slot only, and puts nothing
            // into this bucket.
            for (; slot != kNoSlot && came < done + kComing; ++came) {
                WheelLink& link = links(slot);
                ring[came % kComing] = slot;
                coming(slot);
                slot = link.next;
                link = {};
                if (slot != kNoSlot) {
                    base::prefetch_line(&links(slot));
                }
            }
            for (; neared < came && neared < done + kNear; ++neared) {
                near(ring[neared % kComing]);
            }
            due(ring[done % kComing]);
        }
    }

    std::vector<std::uint32_t> heads_;
    std::int64_t hand_ = 0;  // the last tick whose bucket was visited
};

}  // namespace flowclass::flow
