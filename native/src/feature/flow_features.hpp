// What is kept of a flow, or of a segment of one, for the feature columns, once it has more than a
// few packets (few_packets.hpp). Takes: the facts of each packet, in the order in which they came,
// and once the entropy of the head. Gives: sums from which feature_table.hpp makes the
// columns. Guarantees: no allocation, fixed size.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "base/prefetch.hpp"
#include "base/time.hpp"
#include "feature/entropy.hpp"
#include "feature/moments.hpp"
#include "feature/packet_facts.hpp"

namespace flowclass::feature {

// As many as in the columns splt_*.
inline constexpr std::size_t kFirstPackets = 16;
// A longer silence parts two active periods: CICFlowMeter's default, which the ISCX and CIC data
// sets were made with.
inline constexpr base::TimeNs kIdleGap = 5 * base::kSecond;
// FIN, SYN, RST, PSH, ACK, URG, ECE, CWR: RFC 9293 §3.1, from the lowest bit.
inline constexpr std::size_t kTcpFlags = 8;

// What the packets of one direction add to, or of both. The time between a packet and the latest
// packet before it: a packet that is not later than that one comes 0 ns after it, so gaps are never
// negative and add up to the time that passed.
inline std::uint64_t add_gap(Moments& gaps, base::TimeNs& latest, base::TimeNs time) noexcept {
    const std::uint64_t gap =
        time > latest ? static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(latest) : 0;
    gaps.add(gap);
    latest = std::max(latest, time);
    return gap;
}

struct TcpWindows {
    std::uint16_t first = 0;
    std::uint16_t least = std::numeric_limits<std::uint16_t>::max();
    std::uint16_t greatest = 0;
    bool seen = false;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(first, least, greatest, seen);
    }

    void add(std::uint16_t window) noexcept {
        first = seen ? first : window;
        seen = true;
        least = std::min(least, window);
        greatest = std::max(greatest, window);
    }
};

// Of one direction.
struct WaySums {
    Moments gaps;
    base::TimeNs latest = 0;
    TcpWindows windows;
    Moments lengths;
    std::array<std::uint64_t, kTcpFlags> flags{};

    template <typename Archive>
    void keep(Archive& archive) {
        archive(gaps, latest, windows, lengths, flags);
    }

    void add(const PacketFacts& packet) noexcept {
        if (lengths.count == 0) {
            latest = packet.time;
        } else {
            add_gap(gaps, latest, packet.time);
        }
        lengths.add(packet.length);
        for (unsigned bits = packet.flags; bits != 0; bits &= bits - 1) {
            ++flags[static_cast<std::size_t>(std::countr_zero(bits))];
        }
        if (packet.has_window()) {
            windows.add(packet.window);
        }
    }
};

struct FirstPacket {
    std::uint64_t gap;
    std::uint32_t length;
};

class FlowFeatures {
  public:
    void add(const PacketFacts& packet) noexcept {
        std::uint64_t gap = 0;
        if (packets() == 0) {
            active_since_ = latest_ = packet.time;
        } else {
            gap = note_gap(packet.time);
        }
        ways_[packet.side()].add(packet);
        if (first_count_ < kFirstPackets) {
            note_first(packet, gap);
        }
    }
    // Of what was kept of the payload.
    void set_head(const HeadEntropy& head) noexcept { head_ = head; }

    // What the next packet will need, which is of this direction.
    void prefetch(packet::Direction direction) const noexcept {
        const WaySums& way = ways_[packet::index_of(direction)];
        base::prefetch_line(&latest_);
        base::prefetch(way);
        base::prefetch_line(&way.flags.back());  // a way begins anywhere in a line
    }

    [[nodiscard]] std::uint64_t packets() const noexcept {
        return ways_[0].lengths.count + ways_[1].lengths.count;
    }
    [[nodiscard]] const WaySums& way(std::size_t side) const noexcept { return ways_[side]; }
    // Of both directions together.
    [[nodiscard]] const Moments& gaps() const noexcept { return gaps_; }
    // With the period that the last packet belongs to.
    [[nodiscard]] Moments active() const noexcept;
    [[nodiscard]] const Moments& idle() const noexcept { return idle_; }
    [[nodiscard]] std::size_t first_count() const noexcept { return first_count_; }
    [[nodiscard]] FirstPacket first_packet(std::size_t at) const noexcept {
        return {first_gaps_[at], first_lengths_[at]};
    }
    // A bit for each of them: whether it was one of the reverse direction.
    [[nodiscard]] std::uint16_t first_reverse() const noexcept { return first_reverse_; }
    [[nodiscard]] const HeadEntropy& head() const noexcept { return head_; }

    template <typename Archive>
    void keep(Archive& archive) {
        archive(gaps_, latest_, ways_, first_reverse_);
        archive.up_to(first_count_, static_cast<std::uint16_t>(kFirstPackets));
        for (std::size_t at = 0; at < first_count_; ++at) {
            archive(first_gaps_[at], first_lengths_[at]);
        }
        archive(active_since_, active_, idle_, head_);
    }

  private:
    std::uint64_t note_gap(base::TimeNs time) noexcept {
        const base::TimeNs before = latest_;
        const std::uint64_t gap = add_gap(gaps_, latest_, time);
        if (gap > static_cast<std::uint64_t>(kIdleGap)) {
            active_.add(span(active_since_, before));
            idle_.add(gap);
            active_since_ = time;
        }
        return gap;
    }
    void note_first(const PacketFacts& packet, std::uint64_t gap) noexcept {
        static_assert(kFirstPackets <= 16, "a bit of first_reverse_ for each");
        first_gaps_[first_count_] = gap;
        first_lengths_[first_count_] = packet.length;
        first_reverse_ = static_cast<std::uint16_t>(first_reverse_ | packet.side() << first_count_);
        ++first_count_;
    }
    static std::uint64_t span(base::TimeNs from, base::TimeNs to) noexcept {
        return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
    }

    // Behind the sixteen octets of a pool's slot in front of it and idle_, what every packet needs
    // is one line, then come the directions.
    Moments idle_;
    Moments gaps_;
    base::TimeNs latest_ = 0;
    std::uint16_t first_count_ = 0;
    std::uint16_t first_reverse_ = 0;
    std::array<WaySums, 2> ways_;
    Moments active_;
    base::TimeNs active_since_ = 0;
    // Of those that there were.
    std::array<std::uint64_t, kFirstPackets> first_gaps_;
    std::array<std::uint32_t, kFirstPackets> first_lengths_;
    HeadEntropy head_;
};

inline Moments FlowFeatures::active() const noexcept {
    Moments all = active_;
    if (packets() > 0) {
        all.add(span(active_since_, latest_));
    }
    return all;
}

}  // namespace flowclass::feature
