// What several matchers share when they read a flow's payloads one after another.
// Takes: whether each payload had the protocol's form. Gives: whether the flow has it.
// Guarantees: a payload that was cut short by the prefix says nothing either way; a contradiction
// ends the claim unless at least three times as many payloads fit.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fingerprint/contract.hpp"

namespace flowclass::fingerprint {

enum class Reading : std::uint8_t { fits, cut, contradicts };

class Tally {
  public:
    void add(Reading reading) noexcept {
        fits_ += reading == Reading::fits ? 1U : 0U;
        contradictions_ += reading == Reading::contradicts ? 1U : 0U;
    }
    [[nodiscard]] bool holds() const noexcept { return fits_ > 0 && contradictions_ * 3 <= fits_; }
    [[nodiscard]] bool fits_any() const noexcept { return fits_ > 0; }
    [[nodiscard]] bool contradicts_any() const noexcept { return contradictions_ > 0; }
    [[nodiscard]] bool lost() const noexcept { return contradictions_ > kMaxEntries / 4; }

  private:
    std::size_t fits_ = 0;
    std::size_t contradictions_ = 0;
};

// A parser ran off the kept bytes: that is the prefix's fault when the wire had more.
inline Reading ran_out(const Payload& payload) noexcept {
    return payload.bytes.size() < payload.length ? Reading::cut : Reading::contradicts;
}

// The same for a TCP direction: only what was kept of it is known.
inline std::size_t stream_length(const FlowHead& head, Direction direction) noexcept {
    std::size_t end = 0;
    for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
        if (head.entries[entry].direction == direction) {
            end =
                std::max(end, head.entries[entry].start + std::size_t{head.entries[entry].length});
        }
    }
    return end;
}

// Whether a segment of the stream ends right before octet `offset`: where a message should end.
inline bool is_segment_end(const FlowHead& head, Direction direction, std::size_t offset) noexcept {
    for (std::size_t entry = 0; entry < head.entry_count; ++entry) {
        const head::HeadEntry& seen = head.entries[entry];
        if (seen.direction == direction && seen.start + std::size_t{seen.length} == offset) {
            return true;
        }
    }
    return false;
}

// Where a message lies: in a datagram (an entry), or in a TCP direction's stream.
struct Place {
    Direction direction = Direction::forward;
    std::size_t entry = 0;   // datagrams
    std::size_t offset = 0;  // of the message in its datagram or stream
};

// Adds a check on octets of a message; the part of it that lies in the first segment it touches is
// what is shown.
inline void add_at(Evidence& evidence,
                   const Rule& rule,
                   const FlowHead& head,
                   const Place& place,
                   std::size_t offset,
                   std::size_t length,
                   double bits) noexcept {
    const std::size_t from = place.offset + offset;
    if (head.ip_proto != kTcp) {
        const std::size_t size = head.entries[place.entry].length;
        const std::size_t most = from < size ? size - from : 0;
        evidence.add(rule, head, place.entry, from, std::min(length, most), bits);
        return;
    }
    const std::size_t entry = head.entry_at(place.direction, from);
    if (entry < kMaxEntries) {
        const head::HeadEntry& seen = head.entries[entry];
        const std::size_t most = seen.start + std::size_t{seen.length} - from;
        evidence.add_stream(rule, head, place.direction, from, std::min(length, most), bits);
    }
}

// Seconds since 1970 within a week of the capture.
inline bool is_within_a_week(std::uint32_t seconds, base::TimeNs time) noexcept {
    constexpr std::int64_t kWeek = std::int64_t{7} * 24 * 3600;
    const std::int64_t distance = std::int64_t{seconds} - time / base::kSecond;
    return distance < kWeek && distance > -kWeek;
}

// A port is no octet of any payload: it is shown with the first check, and so adds no direction.
inline void add_port(Evidence& evidence, const Rule& rule, const FlowHead& head) noexcept {
    for (std::size_t entry = 0; entry < head.entry_count && !evidence.empty(); ++entry) {
        if (head.entries[entry].packet == evidence.checks()[0].packet) {
            evidence.add(rule, head, entry, 0, 0, 2);
            return;
        }
    }
}

}  // namespace flowclass::fingerprint
