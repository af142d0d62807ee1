// The running sums of a flow, by direction. Takes: the packet facts of a layer. Gives: counters.
#pragma once

#include <array>
#include <cstdint>

#include "packet/decoded_packet.hpp"
#include "packet/direction.hpp"

namespace flowclass::feature {

struct Accumulators {
    std::array<std::uint64_t, 2> packets{};
    std::array<std::uint64_t, 2> bytes{};          // IP total length on the wire, octets
    std::array<std::uint64_t, 2> payload_bytes{};  // above the transport header, octets
    std::uint64_t truncated_packets = 0;

    template <typename Archive>
    void keep(Archive& archive) {
        archive(packets, bytes, payload_bytes, truncated_packets);
    }

    void add(const packet::FlowLayer& layer, packet::Direction direction) noexcept {
        const std::size_t side = packet::index_of(direction);
        ++packets[side];
        bytes[side] += layer.ip_length;
        payload_bytes[side] += layer.payload_length;
        truncated_packets += layer.truncated ? 1 : 0;
    }
};

}  // namespace flowclass::feature
