// A head while it is being filled. Takes: a flow's payload-bearing layers in order of arrival.
// Gives: a FlowHead. Guarantees: fixed size; no allocation; datagrams and the in-order stream of
// TCP are kept within their caps, whatever comes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/virtual_array.hpp"
#include "head/flow_head.hpp"
#include "head/head_policy.hpp"
#include "head/tcp_prefix.hpp"
#include "packet/decoded_packet.hpp"

namespace flowclass::head {

struct LargeBuffer {
    std::array<std::uint8_t, kLargeBytes> bytes;
};
using LargePool = base::Pool<LargeBuffer>;

// A flow of two small datagrams touches the first three cache lines and the first of each small
// buffer.
struct HeadBlock {
    std::array<std::uint32_t, 2> large{};   // index in the large pool, or kNone
    std::array<std::uint16_t, 2> used{};    // datagrams: octets kept so far
    std::array<std::uint16_t, 2> target{};  // TCP: stream octets worth waiting for
    std::array<bool, 2> judged{};           // TCP: whether target has been decided
    std::array<bool, 2> small_only{};       // there was no large buffer when one was wanted
    std::uint16_t payload_packets = 0;      // at most kMaxPayloadPackets
    bool waits_for_answer = false;          // the caller's: once the other side speaks, less long
    std::uint32_t owner = 0;                // the caller's: whose head it is
    base::TimeNs deadline = 0;              // the caller's: until when the head may wait for more
    FlowHead head;
    std::array<std::array<std::uint8_t, kSmallBytes>, 2> small;
    std::array<TcpPrefix, 2> tcp;  // of a TCP flow; another's is what the last one left
};

// The flow's sequence-number origin in each direction, where its SYN was seen.
struct StreamStart {
    std::array<std::uint32_t, 2> next_seq{};
    std::array<bool, 2> known{};
};

class HeadPool {
  public:
    static constexpr std::uint32_t kNone = base::Pool<HeadBlock>::kNone;

    HeadPool() noexcept = default;
    explicit HeadPool(std::size_t capacity) noexcept : blocks_(capacity), large_(capacity) {}

    // A fresh head for a flow whose first payload this is; kNone when the pool is empty (the caller
    // counts it).
    std::uint32_t open(const packet::FlowLayer& layer,
                       base::TimeNs time,
                       const StreamStart& start,
                       std::uint32_t owner = 0) noexcept;
    // Adds one payload-bearing layer; true when the head is complete.
    bool add(std::uint32_t index,
             const packet::FlowLayer& layer,
             Direction direction,
             base::TimeNs time,
             std::uint32_t payload_packet) noexcept;
    // Seals and shows the head: the spans in it live until close().
    FlowHead& seal(std::uint32_t index) noexcept;
    void close(std::uint32_t index) noexcept;

    // The places of open heads; see base::Pool.
    template <typename Archive>
    void keep_places(Archive& archive, std::vector<bool>& taken) {
        blocks_.keep_places(archive, taken);
    }
    // An open head: its place, its facts, and its octets as far as some were kept. Loading fails
    // where the place is taken.
    template <typename Archive>
    void keep(Archive& archive, std::uint32_t& index, std::vector<bool>& taken);
    void set_owner(std::uint32_t index, std::uint32_t owner) noexcept {
        blocks_[index].owner = owner;
    }
    // Fetches what every payload reads and writes of a head.
    void prefetch_front(std::uint32_t index) const noexcept {
        base::prefetch_front<2 * base::kLine>(blocks_[index]);
    }
    // Fetches what add() and match() need of a usual head.
    void prefetch(std::uint32_t index) const noexcept {
        const HeadBlock& block = blocks_[index];
        base::prefetch_front<3 * base::kLine>(block);
        for (const auto& small : block.small) {
            base::prefetch_line(&small[0]);
            base::prefetch_line(&small[64]);
        }
        for (const TcpPrefix& tcp : block.tcp) {
            base::prefetch_line(&tcp);
        }
    }

    // Fetches what owner(), answered() and time_first() need.
    void prefetch_age(std::uint32_t index) const noexcept {
        base::prefetch_line(&blocks_[index]);
        base::prefetch_line(&blocks_[index].head.time_first);
    }
    [[nodiscard]] std::uint32_t owner(std::uint32_t index) const noexcept {
        return blocks_[index].owner;
    }
    // Whether both sides spoke.
    [[nodiscard]] bool answered(std::uint32_t index) const noexcept {
        const auto& spoken = blocks_[index].head.direction_count;
        return spoken[0] > 0 && spoken[1] > 0;
    }
    [[nodiscard]] base::TimeNs time_first(std::uint32_t index) const noexcept {
        return blocks_[index].head.time_first;
    }
    // The payload-bearing layers that the open head has been given.
    [[nodiscard]] std::uint32_t payload_packets(std::uint32_t index) const noexcept {
        return blocks_[index].payload_packets;
    }
    [[nodiscard]] base::TimeNs deadline(std::uint32_t index) const noexcept {
        return blocks_[index].deadline;
    }
    void set_deadline(std::uint32_t index, base::TimeNs deadline) noexcept {
        blocks_[index].deadline = deadline;
    }
    void wait_for_answer(std::uint32_t index) noexcept { blocks_[index].waits_for_answer = true; }
    // Whether a payload from this side is the answer that was waited for; it is asked once.
    bool take_answer(std::uint32_t index, Direction direction) noexcept {
        HeadBlock& block = blocks_[index];
        const bool answers =
            block.waits_for_answer && block.head.direction_count[index_of(direction)] == 0;
        block.waits_for_answer = block.waits_for_answer && !answers;
        return answers;
    }
    [[nodiscard]] std::size_t used() const noexcept { return blocks_.used(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return blocks_.capacity(); }
    [[nodiscard]] bool full() const noexcept { return used() == capacity(); }
    [[nodiscard]] std::size_t touched() const noexcept { return blocks_.touched(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return blocks_.bytes() + large_.bytes(); }

  private:
    void add_datagram(HeadBlock& block, const packet::FlowLayer& layer, HeadEntry entry) noexcept;
    void add_segment(HeadBlock& block, const packet::FlowLayer& layer, HeadEntry entry) noexcept;
    std::span<std::uint8_t> room(HeadBlock& block,
                                 std::size_t direction,
                                 std::size_t wanted) noexcept;
    template <typename Archive>
    void keep_octets(Archive& archive, HeadBlock& block, std::size_t direction);
    static bool push(HeadBlock& block, const HeadEntry& entry) noexcept;
    static bool complete(const HeadBlock& block) noexcept;

    base::Pool<HeadBlock> blocks_;
    LargePool large_;
};

template <typename Archive>
void HeadPool::keep(Archive& archive, std::uint32_t& index, std::vector<bool>& taken) {
    constexpr std::uint8_t kTcp = 6;
    archive(index);
    if constexpr (Archive::kLoads) {
        archive.require(index < taken.size() && !taken[index]);
        if (!archive.ok()) {
            index = kNone;
            return;
        }
        taken[index] = true;
        blocks_.put();
        blocks_[index].large = {LargePool::kNone, LargePool::kNone};
        blocks_[index].head.kept = {};
        blocks_[index].head.hello = nullptr;
    }
    HeadBlock& block = blocks_[index];
    archive(block.used, block.target, block.judged, block.small_only, block.payload_packets);
    archive(block.waits_for_answer, block.deadline, block.head);
    if (block.head.ip_proto == kTcp) {
        archive(block.tcp);
    }
    for (std::size_t direction = 0; archive.ok() && direction < 2; ++direction) {
        keep_octets(archive, block, direction);
    }
}

template <typename Archive>
void HeadPool::keep_octets(Archive& archive, HeadBlock& block, std::size_t direction) {
    constexpr std::uint8_t kTcp = 6;
    bool is_large = block.large[direction] != LargePool::kNone;
    archive(is_large);
    if constexpr (Archive::kLoads) {
        block.large[direction] = is_large ? large_.acquire() : LargePool::kNone;
        archive.require(is_large == (block.large[direction] != LargePool::kNone));
    }
    if (!archive.ok()) {
        return;
    }
    const std::span<std::uint8_t> buffer =
        is_large ? std::span<std::uint8_t>(large_[block.large[direction]].bytes)
                 : std::span<std::uint8_t>(block.small[direction]);
    const bool stream = block.head.ip_proto == kTcp;
    archive.require(stream || block.used[direction] <= buffer.size());
    const std::size_t end = stream ? block.tcp[direction].end() : block.used[direction];
    archive.octets(buffer.first(std::min(end, buffer.size())));
}

}  // namespace flowclass::head
