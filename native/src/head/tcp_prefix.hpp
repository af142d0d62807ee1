// The in-order beginning of one TCP direction, and nothing more: no general reassembly.
// Takes: segments as they arrive. Gives: for each, where its new octets lie in the stream; how far
// the stream is whole. Guarantees: repetitions are dropped, up to 8 out-of-order ranges wait for
// the gap before them, the rest is a gap for good.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace flowclass::head {

class TcpPrefix {
  public:
    static constexpr std::size_t kMaxRanges = 8;
    // Only offsets below this matter to any head.
    static constexpr std::uint32_t kHorizon = 1U << 16U;

    struct Placed {
        bool is_new = false;
        std::uint32_t offset = 0;   // in the stream, of the first new octet
        std::uint32_t skipped = 0;  // repeated octets at the segment's front
        std::uint32_t length = 0;   // new octets
    };

    // Ranges beyond the count are nobody's: they stay what they were.
    void reset() noexcept {
        whole_ = 0;
        valid_ = UINT32_MAX;
        range_count_ = 0;
        started_ = lost_ = false;
    }
    void start(std::uint32_t first_seq) noexcept {
        reset();
        first_seq_ = first_seq;
        started_ = true;
    }
    [[nodiscard]] bool started() const noexcept { return started_; }
    // Behind it no octet was placed.
    [[nodiscard]] std::uint32_t end() const noexcept {
        std::uint32_t end = whole_;
        for (std::size_t index = 0; index < range_count_; ++index) {
            end = std::max(end, ranges_[index].end);
        }
        return end;
    }
    template <typename Archive>
    void keep(Archive& archive) {
        archive(first_seq_, whole_, valid_, started_, lost_);
        archive.up_to(range_count_, static_cast<std::uint8_t>(kMaxRanges));
        for (std::size_t index = 0; archive.ok() && index < range_count_; ++index) {
            archive(ranges_[index].begin, ranges_[index].end);
        }
    }
    [[nodiscard]] std::uint32_t whole() const noexcept { return std::min(whole_, valid_); }
    [[nodiscard]] bool gap() const noexcept { return range_count_ > 0 || valid_ < whole_ || lost_; }

    // `captured` < `length` when the snap length cut the segment: the stream is not known beyond
    // it.
    Placed place(std::uint32_t seq, std::uint32_t length, std::uint32_t captured) noexcept {
        const auto distance = static_cast<std::int32_t>(seq - first_seq_);
        std::uint32_t begin = 0;
        std::uint32_t skipped = 0;
        if (distance < 0) {
            skipped = static_cast<std::uint32_t>(-static_cast<std::int64_t>(distance));
            if (skipped >= length) {
                return {};
            }
        } else {
            begin = static_cast<std::uint32_t>(distance);
        }
        const std::uint32_t end = begin + (length - skipped);
        if (begin >= kHorizon || end <= begin || end <= whole_) {
            return {};
        }
        if (begin <= whole_) {
            const std::uint32_t repeated = whole_ - begin;
            note_capture(begin, length - skipped, captured > skipped ? captured - skipped : 0);
            const Placed placed{true, whole_, skipped + repeated, end - whole_};
            whole_ = end;
            absorb();
            return placed;
        }
        return wait(begin, end, skipped, captured);
    }

  private:
    struct Range {
        std::uint32_t begin = 0;
        std::uint32_t end = 0;
    };

    Placed wait(std::uint32_t begin,
                std::uint32_t end,
                std::uint32_t skipped,
                std::uint32_t captured) noexcept {
        for (std::size_t index = 0; index < range_count_; ++index) {
            if (ranges_[index].begin <= begin && end <= ranges_[index].end) {
                return {};
            }
        }
        if (range_count_ == kMaxRanges) {
            lost_ = true;
            return {};
        }
        ranges_[range_count_++] = {begin, end};
        note_capture(begin, end - begin, captured > skipped ? captured - skipped : 0);
        return {true, begin, skipped, end - begin};
    }

    void note_capture(std::uint32_t begin, std::uint32_t length, std::uint32_t captured) noexcept {
        if (captured < length) {
            valid_ = std::min(valid_, begin + captured);
        }
    }

    // Ranges that the stream has reached become part of it; each pass removes one or ends.
    void absorb() noexcept {
        for (std::size_t index = 0; index < range_count_;) {
            if (ranges_[index].begin <= whole_) {
                whole_ = std::max(whole_, ranges_[index].end);
                ranges_[index] = ranges_[--range_count_];
                index = 0;
            } else {
                ++index;
            }
        }
    }

    std::uint32_t first_seq_ = 0;
    std::uint32_t whole_ = 0;           // the stream is whole up to here
    std::uint32_t valid_ = UINT32_MAX;  // and captured up to here
    std::uint8_t range_count_ = 0;
    bool started_ = false;
    bool lost_ = false;
    std::array<Range, kMaxRanges> ranges_{};
};

}  // namespace flowclass::head
