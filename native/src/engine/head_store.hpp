// Heads of living flows, where the caller wants them in the rows. Takes: a sealed head. Gives: a
// number to keep in the flow's slot; memory follows the octets that were kept.
#pragma once

#include <array>
#include <cstdint>

#include "base/virtual_array.hpp"
#include "head/flow_head.hpp"
#include "head/head_policy.hpp"

namespace flowclass::engine {

class HeadStore {
  public:
    static constexpr std::uint32_t kNone = 0xffffffff;

    // Where a head is put together again.
    struct Restored {
        head::FlowHead head;
        std::array<std::uint8_t, 2 * head::kLargeBytes> octets;
    };

    HeadStore() noexcept = default;
    explicit HeadStore(std::size_t capacity) noexcept : nodes_(capacity) {}

    // kNone when the store is full: the row has no head.
    std::uint32_t save(const head::FlowHead& head) noexcept;
    std::uint32_t copy(std::uint32_t index) noexcept;
    void release(std::uint32_t index) noexcept;
    void read(std::uint32_t index, Restored& out) const noexcept;
    // Loading takes places for the head, and fails where there are none.
    template <typename Archive>
    void keep(Archive& archive, std::uint32_t& index);

    [[nodiscard]] std::size_t bytes() const noexcept { return nodes_.bytes(); }

  private:
    static constexpr std::size_t kOctets = 248;
    struct Node {
        std::uint32_t next;
        std::array<std::uint8_t, kOctets> octets;
    };
    class Writer;
    class Reader;

  public:
    static constexpr std::size_t kNodeBytes = sizeof(Node) + sizeof(std::uint32_t);

  private:
    base::Pool<Node> nodes_;
};

template <typename Archive>
void HeadStore::keep(Archive& archive, std::uint32_t& index) {
    Restored whole;
    if constexpr (Archive::kLoads) {
        whole.head.kept = {};
        whole.head.hello = nullptr;
    } else {
        read(index, whole);
    }
    archive(whole.head);
    std::span<std::uint8_t> room(whole.octets);
    for (base::Bytes& kept : whole.head.kept) {
        auto size = static_cast<std::uint16_t>(kept.size());
        archive.up_to(size, static_cast<std::uint16_t>(head::kLargeBytes));
        if (!archive.ok()) {
            return;
        }
        archive.octets(room.first(size));
        kept = room.first(size);
        room = room.subspan(size);
    }
    if constexpr (Archive::kLoads) {
        index = archive.ok() ? save(whole.head) : kNone;
        archive.require(index != kNone);
    }
}

}  // namespace flowclass::engine
