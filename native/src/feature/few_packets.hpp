// A flow, or a segment of one, as long as it has few packets: these themselves, for they take an
// eighth of what their sums do, and most flows end before they have more. Takes: the facts of each
// packet, in the order in which they came, and once the entropy of the head. Gives: the sums,
// the same as if every packet had been added to them as it came. Guarantees: no allocation, fixed
// size.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "feature/entropy.hpp"
#include "feature/flow_features.hpp"
#include "feature/packet_facts.hpp"

namespace flowclass::feature {

class alignas(16) FewPackets {
  public:
    static constexpr std::size_t kMost = 4;

    [[nodiscard]] bool full() const noexcept { return count_ == kMost; }
    // Unless it is full.
    void add(const PacketFacts& packet) noexcept { packets_[count_++] = packet; }
    // `sums`: of nothing yet.
    void add_to(FlowFeatures& sums) const noexcept {
        for (const PacketFacts& packet : std::span(packets_).first(count_)) {
            sums.add(packet);
        }
        sums.set_head(head_);
    }
    [[nodiscard]] const HeadEntropy& head() const noexcept { return head_; }
    void set_head(const HeadEntropy& head) noexcept { head_ = head; }

    template <typename Archive>
    void keep(Archive& archive) {
        archive.up_to(count_, static_cast<std::uint8_t>(kMost));
        for (PacketFacts& packet : std::span(packets_).first(count_)) {
            archive(packet);
        }
        archive(head_);
    }

  private:
    std::uint8_t count_ = 0;
    std::array<PacketFacts, kMost> packets_;  // those that there were
    HeadEntropy head_;
};

}  // namespace flowclass::feature
