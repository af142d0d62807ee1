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

// The time between a packet and the latest packet before it. A packet that is not later than that
// one comes 0 ns after it, so gaps are never negative and add up to the time that passed.
class Gaps {
  public:
    std::uint64_t begin(base::TimeNs time) noexcept {
        latest_ = time;
        return 0;
    }
    std::uint64_t add(base::TimeNs time) noexcept {
        const std::uint64_t gap =
            time > latest_ ? static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(latest_)
                           : 0;
        moments_.add(gap);
        latest_ = std::max(latest_, time);
        return gap;
    }
    [[nodiscard]] const Moments& moments() const noexcept { return moments_; }
    [[nodiscard]] base::TimeNs latest() const noexcept { return latest_; }

    template <typename Archive>
    void keep(Archive& archive) {
        archive(moments_, latest_);
    }

  private:
    Moments moments_;
    base::TimeNs latest_ = 0;
};

struct TcpCounts {
    std::array<std::uint64_t, kTcpFlags> flags{};
    std::uint16_t window_first = 0;
    std::uint16_t window_least = std::numeric_limits<std::uint16_t>::max();
    std::uint16_t window_greatest = 0;
    bool window_seen = false;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(flags, window_first, window_least, window_greatest, window_seen);
    }

    void add(const packet::FlowLayer& layer) noexcept {
        for (unsigned bits = layer.tcp_flags & 0xffU; bits != 0; bits &= bits - 1) {
            ++flags[static_cast<std::size_t>(std::countr_zero(bits))];
        }
        if (layer.has_tcp_window) {
            window_first = window_seen ? window_first : layer.tcp_window;
            window_seen = true;
            window_least = std::min(window_least, layer.tcp_window);
            window_greatest = std::max(window_greatest, layer.tcp_window);
        }
    }
};

// The first packets: lengths, directions (bit set: reverse), gaps.
struct FirstPackets {
    std::uint16_t count = 0;
    std::uint16_t reverse = 0;
    std::array<std::uint32_t, kFirstPackets> lengths{};
    std::array<std::uint64_t, kFirstPackets> gaps{};
    static_assert(kFirstPackets <= 16, "a bit of `reverse` for each");

    template <typename Archive>
    void keep(Archive& archive) {
        archive(count, reverse, lengths, gaps);
        archive.require(count <= kFirstPackets);
    }
};

class FlowFeatures {
  public:
    void add(const packet::FlowLayer& layer,
             packet::Direction direction,
             base::TimeNs time) noexcept {
        constexpr std::uint8_t kTcp = 6;
        const std::size_t side = packet::index_of(direction);
        std::uint64_t gap = 0;
        if (packets() == 0) {
            active_since_ = time;
            gap = gaps_[2].begin(time);
        } else {
            gap = note_gap(time);
        }
        if (lengths_[side].count == 0) {
            gaps_[side].begin(time);
        } else {
            gaps_[side].add(time);
        }
        lengths_[side].add(layer.ip_length);
        if (first_.count < kFirstPackets) {
            note_first(layer.ip_length, side, gap);
        }
        if (layer.ip_proto == kTcp && layer.fragment != packet::Fragment::later) {
            tcp_[side].add(layer);
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

    // What the next packet will need.
    void prefetch() const noexcept {
        base::prefetch(gaps_);
        base::prefetch(lengths_);
        base::prefetch(tcp_);
    }

    [[nodiscard]] std::uint64_t packets() const noexcept {
        return lengths_[0].count + lengths_[1].count;
    }
    [[nodiscard]] const Moments& lengths(std::size_t side) const noexcept { return lengths_[side]; }
    // By direction; 2 = of both.
    [[nodiscard]] const Moments& gaps(std::size_t way) const noexcept {
        return gaps_[way].moments();
    }
    // With the period that the last packet belongs to.
    [[nodiscard]] Moments active() const noexcept;
    [[nodiscard]] const Moments& idle() const noexcept { return idle_; }
    [[nodiscard]] const TcpCounts& tcp(std::size_t side) const noexcept { return tcp_[side]; }
    [[nodiscard]] const FirstPackets& first() const noexcept { return first_; }
    [[nodiscard]] const HeadEntropy& head() const noexcept { return head_; }

    template <typename Archive>
    void keep(Archive& archive) {
        archive(gaps_, lengths_, active_since_, first_, tcp_, active_, idle_, head_);
    }

  private:
    std::uint64_t note_gap(base::TimeNs time) noexcept {
        const base::TimeNs before = gaps_[2].latest();
        const std::uint64_t gap = gaps_[2].add(time);
        if (gap > static_cast<std::uint64_t>(kIdleGap)) {
            active_.add(span(active_since_, before));
            idle_.add(gap);
            active_since_ = time;
        }
        return gap;
    }
    void note_first(std::uint32_t length, std::size_t side, std::uint64_t gap) noexcept {
        const std::size_t at = first_.count++;
        first_.lengths[at] = length;
        first_.gaps[at] = gap;
        first_.reverse = static_cast<std::uint16_t>(first_.reverse | side << at);
    }
    static std::uint64_t span(base::TimeNs from, base::TimeNs to) noexcept {
        return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
    }

    // In the order in which a packet needs them.
    std::array<Gaps, 3> gaps_;
    std::array<Moments, 2> lengths_;
    base::TimeNs active_since_ = 0;
    FirstPackets first_;
    std::array<TcpCounts, 2> tcp_;
    Moments active_, idle_;
    HeadEntropy head_;
};

inline Moments FlowFeatures::active() const noexcept {
    Moments all = active_;
    if (packets() > 0) {
        all.add(span(active_since_, gaps_[2].latest()));
    }
    return all;
}

}  // namespace flowclass::feature
