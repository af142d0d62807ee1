// One direction of a TCP flow, as matchers of binary protocols read it.
// Takes: a FlowHead and a direction. Gives: the in-order stream, readers in it, and checks on it.
// Guarantees: nothing beyond the kept octets is read; a check that two segments share is shown in
// the first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fingerprint/reading.hpp"

namespace flowclass::fingerprint {

class StreamSide {
  public:
    StreamSide(const FlowHead& head, Direction direction) noexcept
        : head_(head), direction_(direction), stream_(head.stream(direction)) {}

    [[nodiscard]] Direction direction() const noexcept { return direction_; }
    [[nodiscard]] Bytes stream() const noexcept { return stream_; }
    [[nodiscard]] std::size_t size() const noexcept { return stream_.size(); }
    [[nodiscard]] bool empty() const noexcept { return stream_.empty(); }
    [[nodiscard]] ByteReader at(std::size_t offset) const noexcept {
        return base::at(stream_, offset);
    }
    // The first octet is the connection's.
    [[nodiscard]] bool from_start() const noexcept {
        return head_.from_stream_start[index_of(direction_)];
    }
    // A segment ends before `offset`: where a message should end.
    [[nodiscard]] bool is_end(std::size_t offset) const noexcept {
        return is_segment_end(head_, direction_, offset);
    }
    void add(Evidence& evidence,
             const Rule& rule,
             std::size_t offset,
             std::size_t length,
             double bits) const noexcept {
        add_at(evidence, rule, head_, {direction_, 0, offset}, 0, length, bits);
    }

  private:
    const FlowHead& head_;
    Direction direction_;
    Bytes stream_;
};

inline std::array<StreamSide, 2> both_sides(const FlowHead& head) noexcept {
    return {StreamSide{head, Direction::forward}, StreamSide{head, Direction::reverse}};
}

// What both directions of a flow prove: `read(evidence, side)` adds its checks of a direction, or
// says false when it cannot be the protocol, which ends the claim.
template <typename Read>
Evidence match_sides(const FlowHead& head, Read read) noexcept {
    Evidence evidence;  // NOLINT(misc-const-correctness): `read` adds to it
    for (const StreamSide& side : both_sides(head)) {
        if (!side.empty() && !read(evidence, side)) {
            return {};
        }
    }
    return evidence;
}

}  // namespace flowclass::fingerprint
