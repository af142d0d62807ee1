// What is kept of a flow, or of a segment of one, for the feature columns. Takes: the facts of each
// packet, in the order in which they came, and once what was kept of the payload. Gives: sums from
// which feature_table.hpp makes the columns. Guarantees: no allocation, fixed size.
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
#include "packet/decoded_packet.hpp"
#include "packet/direction.hpp"

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

// Of one direction, in the order in which a packet needs it: a line of its own for each of these
// rows, the last one for TCP alone.
struct alignas(base::kLine) WaySums {
    Moments gaps;
    base::TimeNs latest = 0;
    TcpWindows windows;

    alignas(base::kLine) Moments lengths;

    alignas(base::kLine) std::array<std::uint64_t, kTcpFlags> flags{};

    template <typename Archive>
    void keep(Archive& archive) {
        archive(gaps, latest, windows, lengths, flags);
    }

    void add(const packet::FlowLayer& layer, base::TimeNs time) noexcept {
        constexpr std::uint8_t kTcp = 6;
        if (lengths.count == 0) {
            latest = time;
        } else {
            add_gap(gaps, latest, time);
        }
        lengths.add(layer.ip_length);
        if (layer.ip_proto == kTcp && layer.fragment != packet::Fragment::later) {
            for (unsigned bits = layer.tcp_flags & 0xffU; bits != 0; bits &= bits - 1) {
                ++flags[static_cast<std::size_t>(std::countr_zero(bits))];
            }
            if (layer.has_tcp_window) {
                windows.add(layer.tcp_window);
            }
        }
    }
};
static_assert(sizeof(WaySums) == 3 * base::kLine);

struct FirstPacket {
    std::uint64_t gap;
    std::uint32_t length;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(gap, length);
    }
};

class FlowFeatures {
  public:
    void add(const packet::FlowLayer& layer,
             packet::Direction direction,
             base::TimeNs time) noexcept {
        std::uint64_t gap = 0;
        if (packets() == 0) {
            active_since_ = latest_ = time;
        } else {
            gap = note_gap(time);
        }
        const std::size_t side = packet::index_of(direction);
        ways_[side].add(layer, time);
        if (first_count_ < kFirstPackets) {
            note_first(layer.ip_length, side, gap);
        }
    }
    // What was kept of the payload, by direction.
    void add_head(const std::array<base::Bytes, 2>& kept) noexcept { head_ = head_entropy(kept); }

    // The next segment's, before its first packet: new sums, but the head is the flow's.
    [[nodiscard]] FlowFeatures next_segment() const noexcept {
        FlowFeatures next;
        next.head_ = head_;
        return next;
    }

    // What the next packet will need, which is of this direction.
    void prefetch(packet::Direction direction) const noexcept {
        base::prefetch_front<base::kLine>(*this);
        base::prefetch(ways_[packet::index_of(direction)]);
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
    [[nodiscard]] std::span<const FirstPacket> first_packets() const noexcept {
        return std::span(first_packets_).first(first_count_);
    }
    // A bit for each of them: whether it was one of the reverse direction.
    [[nodiscard]] std::uint16_t first_reverse() const noexcept { return first_reverse_; }
    [[nodiscard]] const HeadEntropy& head() const noexcept { return head_; }

    template <typename Archive>
    void keep(Archive& archive) {
        archive(gaps_, latest_, ways_, first_reverse_);
        archive.up_to(first_count_, static_cast<std::uint16_t>(kFirstPackets));
        for (std::size_t at = 0; at < first_count_; ++at) {
            archive(first_packets_[at]);
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
    void note_first(std::uint32_t length, std::size_t side, std::uint64_t gap) noexcept {
        static_assert(kFirstPackets <= 16, "a bit of first_reverse_ for each");
        first_packets_[first_count_] = {gap, length};
        first_reverse_ = static_cast<std::uint16_t>(first_reverse_ | side << first_count_);
        ++first_count_;
    }
    static std::uint64_t span(base::TimeNs from, base::TimeNs to) noexcept {
        return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
    }

    // A packet needs the first line and its direction's; what follows is for few of them.
    alignas(base::kLine) Moments gaps_;
    base::TimeNs latest_ = 0;
    std::uint16_t first_count_ = 0;
    std::uint16_t first_reverse_ = 0;
    std::array<WaySums, 2> ways_;
    std::array<FirstPacket, kFirstPackets> first_packets_;  // those that there were
    base::TimeNs active_since_ = 0;
    Moments active_, idle_;
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
