// Packets of a piece that are left to the run that joins pieces, as columns. Takes: views, which
// are copied. Gives: them back as views. The octets of all lie one behind the other; packet n has
// [offsets[n], offsets[n + 1]). In between they are a file that anyone may have changed: views_of()
// believes nothing of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/byte_reader.hpp"
#include "base/status.hpp"
#include "base/time.hpp"
#include "packet/packet_view.hpp"

namespace flowclass::engine {

struct CarriedPackets {
    std::vector<base::TimeNs> times;
    std::vector<base::TimeNs> clocks;   // greatest time of the piece so far
    std::vector<std::uint64_t> frames;  // numbers within their source
    std::vector<std::uint32_t> sources;
    std::vector<std::uint32_t> wire_lengths;
    std::vector<std::uint32_t> link_types;
    std::vector<std::uint32_t> partitions;  // decode::partition_hash of the outermost addresses
    std::vector<std::int64_t> offsets{0};
    std::vector<std::uint8_t> octets;

    void add(const packet::PacketView& view,
             base::TimeNs clock,
             std::uint32_t source,
             std::uint32_t partition) {
        times.push_back(view.time);
        clocks.push_back(clock);
        frames.push_back(view.frame);
        sources.push_back(source);
        wire_lengths.push_back(view.wire_length);
        link_types.push_back(view.link_type);
        partitions.push_back(partition);
        octets.insert(octets.end(), view.bytes.begin(), view.bytes.end());
        offsets.push_back(static_cast<std::int64_t>(octets.size()));
    }
};

// What came back of them, borrowed.
struct CarriedColumns {
    std::span<const base::TimeNs> times;
    std::span<const base::TimeNs> clocks;
    std::span<const std::uint64_t> frames;
    std::span<const std::uint32_t> wire_lengths;
    std::span<const std::uint32_t> link_types;
    std::span<const std::int64_t> offsets;
    base::Bytes octets;
};

// Views into the octets, as Engine::push_carried() takes them beside the clocks; or why the columns
// cannot be what an engine left.
base::Result<std::vector<packet::PacketView>> views_of(const CarriedColumns& columns);

}  // namespace flowclass::engine
