// What the feature columns need of living flows, and of ended ones whose rows wait. A flow has its
// packets as long as they are few, then their sums, seven times as large: where both are kept is
// told by the number that the flow has. Takes: packets, what heads kept. Gives: either, for the
// rows. Guarantees: no allocation after open; where there is no room, that is said, and the flow
// has neither.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/byte_reader.hpp"
#include "base/virtual_array.hpp"
#include "feature/few_packets.hpp"
#include "feature/flow_features.hpp"
#include "feature/packet_facts.hpp"
#include "packet/direction.hpp"

namespace flowclass::engine {

class FeatureStore {
    using FewPool = base::Pool<feature::FewPackets>;
    using SumsPool = base::Pool<feature::FlowFeatures>;

  public:
    static constexpr std::uint32_t kNone = FewPool::kNone;
    // At most, of one flow: a slot that sums have left is not given back to the system.
    static constexpr std::size_t kFlowBytes = FewPool::kSlotBytes + SumsPool::kSlotBytes;
    static_assert(FewPool::kSlotBytes == 2 * base::kLine && SumsPool::kSlotBytes % base::kLine == 0,
                  "slots lie on whole cache lines");

    // Room for so many flows.
    explicit FeatureStore(std::size_t flows) noexcept : few_(flows), sums_(flows) {}

    // A flow without packets; kNone where there is no room.
    std::uint32_t open() noexcept;
    // The next segment of a flow: without packets, but the head is the flow's.
    std::uint32_t open_next(std::uint32_t place) noexcept;
    // The flow may get another place; false: there was none, and it has none any more.
    [[nodiscard]] bool add(std::uint32_t& place, const feature::PacketFacts& packet) noexcept {
        if (is_sums(place)) {
            sums_[number(place)].add(packet);
            return true;
        }
        feature::FewPackets& few = few_[place];
        if (few.full()) {
            return add_many(place, packet);
        }
        few.add(packet);
        return true;
    }
    // What was kept of the payload, by direction.
    void add_head(std::uint32_t place, const std::array<base::Bytes, 2>& kept) noexcept;
    void release(std::uint32_t place) noexcept;

    // nullptr where the flow has the other.
    [[nodiscard]] const feature::FewPackets* few(std::uint32_t place) const noexcept {
        return place == kNone || is_sums(place) ? nullptr : &few_[place];
    }
    [[nodiscard]] const feature::FlowFeatures* sums(std::uint32_t place) const noexcept {
        return place == kNone || !is_sums(place) ? nullptr : &sums_[number(place)];
    }
    // For the flow's next packet, which is of this direction; for its row.
    void prefetch(std::uint32_t place, packet::Direction direction) const noexcept;
    void prefetch(std::uint32_t place) const noexcept;

    [[nodiscard]] std::size_t bytes() const noexcept { return few_.bytes() + sums_.bytes(); }

    template <typename Archive>
    void keep(Archive& archive, std::uint32_t& place);

  private:
    static constexpr std::uint32_t kSums = 1U << 31U;
    static bool is_sums(std::uint32_t place) noexcept { return (place & kSums) != 0; }
    static std::uint32_t number(std::uint32_t place) noexcept { return place & ~kSums; }
    template <typename T>
    static std::uint32_t begin(base::Pool<T>& pool) noexcept;
    bool add_many(std::uint32_t& place, const feature::PacketFacts& packet) noexcept;

    FewPool few_;
    SumsPool sums_;
};

template <typename Archive>
void FeatureStore::keep(Archive& archive, std::uint32_t& place) {
    bool many = is_sums(place);
    archive(many);
    if constexpr (Archive::kLoads) {
        place = many ? begin(sums_) : begin(few_);
        archive.require(place != kNone);
        if (place == kNone) {
            return;
        }
        place |= many ? kSums : 0;
    }
    if (many) {
        archive(sums_[number(place)]);
    } else {
        archive(few_[place]);
    }
}

}  // namespace flowclass::engine
