// Which address pairs of a piece of a capture may share flows with the pieces before and after it.
// Takes: the outermost address pair of every frame of the piece, with its times. Gives, once the
// piece is over: for each frame whether it is carried, that is left to the run that joins pieces.
//
// Flows, fragments, tunnels and links stay within one outermost address pair (docs/decisions/0001),
// and a pair that was silent for longer than `gap` has nothing left that a later packet could meet.
// So the frames of a pair between two such silences, an episode, can be judged alone, unless the
// episode is near a border of the piece. Guarantees: memory follows the pairs, one entry each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/hash.hpp"
#include "base/ip_address.hpp"
#include "base/time.hpp"

namespace flowclass::decode {

struct AddressPair {
    base::IpAddress low;
    base::IpAddress high;

    AddressPair() noexcept = default;
    AddressPair(const base::IpAddress& one, const base::IpAddress& other) noexcept
        : low(std::min(one, other)), high(std::max(one, other)) {}
    friend bool operator==(const AddressPair&, const AddressPair&) noexcept = default;
};

// The same in every process, so that all packets of a pair meet in one place, whoever read them.
std::uint32_t partition_hash(const AddressPair& pair) noexcept;

struct BorderOptions {
    base::TimeNs gap = 0;    // of silence, after which nothing of a pair is left
    base::TimeNs slack = 0;  // by which pieces may overlap in time
};

class BorderPairs {
  public:
    BorderPairs(BorderOptions options, base::HashKey key);

    // Frames in their order, counted over all captures of the piece; `clock` is the greatest time
    // so far, this frame's included.
    void note(const AddressPair& pair, base::TimeNs time, base::TimeNs clock, std::uint64_t frame);
    // The piece ends at this clock.
    void close(base::TimeNs clock) noexcept { end_ = clock; }

    // Only after close().
    [[nodiscard]] bool is_carried(const AddressPair& pair, std::uint64_t frame) const noexcept;

    [[nodiscard]] std::size_t pairs() const noexcept { return entries_.size(); }

  private:
    struct Entry {
        AddressPair pair;
        base::TimeNs last = 0;         // clock at the newest frame
        std::uint64_t head_until = 0;  // newest frame of the episodes near the beginning
        std::uint64_t tail_from = 0;   // first frame of the newest episode
        bool near_begin = false;       // the newest episode is
    };
    static constexpr std::uint32_t kNone = 0xffffffff;

    [[nodiscard]] std::size_t place_of(const AddressPair& pair) const noexcept;
    Entry& entry_of(const AddressPair& pair);
    void grow();

    BorderOptions options_;
    base::HashKey key_;
    std::vector<Entry> entries_;
    std::vector<std::uint32_t> index_;  // open addressing, a power of two of places
    base::TimeNs begin_ = 0;            // time of the first frame
    base::TimeNs end_ = INT64_MAX;
    bool begun_ = false;
};

}  // namespace flowclass::decode
