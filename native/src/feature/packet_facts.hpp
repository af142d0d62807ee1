// What the feature columns ask of one packet. Takes: a layer, its direction in the flow, its time.
// Gives: sixteen octets that FlowFeatures adds up, now or later.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.hpp"
#include "packet/decoded_packet.hpp"
#include "packet/direction.hpp"

namespace flowclass::feature {

struct PacketFacts {
    static constexpr std::uint8_t kReverse = 1;
    static constexpr std::uint8_t kWindow = 2;

    base::TimeNs time = 0;
    std::uint32_t length = 0;  // IP total length on the wire, octets
    std::uint16_t window = 0;  // of TCP, if it is marked that there is one
    std::uint8_t flags = 0;    // TCP's eight control bits; of others and of later fragments none
    std::uint8_t marks = 0;

    [[nodiscard]] std::size_t side() const noexcept { return marks & kReverse; }
    [[nodiscard]] bool has_window() const noexcept { return (marks & kWindow) != 0; }

    template <typename Archive>
    void keep(Archive& archive) {
        archive(time, length, window, flags);
        archive.up_to(marks, static_cast<std::uint8_t>(kReverse | kWindow));
    }
};
static_assert(sizeof(PacketFacts) == 16);

inline PacketFacts facts_of(const packet::FlowLayer& layer,
                            packet::Direction direction,
                            base::TimeNs time) noexcept {
    constexpr std::uint8_t kTcp = 6;
    PacketFacts facts;
    facts.time = time;
    facts.length = layer.ip_length;
    facts.marks = direction == packet::Direction::reverse ? PacketFacts::kReverse : 0;
    if (layer.ip_proto == kTcp && layer.fragment != packet::Fragment::later) {
        facts.flags = static_cast<std::uint8_t>(layer.tcp_flags);
        if (layer.has_tcp_window) {
            facts.window = layer.tcp_window;
            facts.marks |= PacketFacts::kWindow;
        }
    }
    return facts;
}

}  // namespace flowclass::feature
