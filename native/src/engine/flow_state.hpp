// What the table keeps of a flow, and what is handed on when the flow has ended.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/prefetch.hpp"
#include "batch/flow_row.hpp"
#include "engine/evidence_store.hpp"
#include "engine/feature_store.hpp"
#include "engine/head_store.hpp"
#include "engine/hello_store.hpp"
#include "feature/accumulators.hpp"
#include "flow/flow_record.hpp"
#include "flow/flow_table.hpp"
#include "head/head_block.hpp"

namespace flowclass::engine {

// The first two cache lines are what packets read and write; the third is for the flow's begin and
// end.
struct FlowState {
    static constexpr std::uint32_t kNoHead = (1U << 30U) - 1;
    static constexpr std::uint32_t kNoFeatures = FeatureStore::kNone;
    static constexpr std::uint32_t kNoLink = 0;
    static constexpr std::uint32_t kLinkWaits = 1;
    static constexpr std::uint32_t kFirstTurn = 2;

    feature::Accumulators sums;
    std::uint32_t head : 30 = kNoHead;  // open head
    bool head_done : 1 = false;
    bool wheel_checked : 1 =
        false;  // the wheel has come by once: a head opened later must be scheduled
    std::uint32_t features = kNoFeatures;  // for the feature columns, if wanted
    flow::FlowRecord record;
    std::uint32_t evidence = EvidenceStore::kNone;  // verdict, once the head is closed
    std::uint32_t hello = HelloStore::kNone;        // what its client said
    std::uint32_t saved_head = HeadStore::kNone;    // the head that was matched, if wanted
    // Whether a leader is to be looked for: no, once it is time, or in a later turn of the wheel
    // than this number.
    std::uint32_t link_turn = kNoLink;

    [[nodiscard]] bool has_head() const noexcept { return head != kNoHead; }
};
inline constexpr std::size_t kHotState = 2 * base::kLine;

// Of an open head, where early verdicts are wanted: the flow as of the last payload that the head
// took, and when what it holds is to be said although it waits for more.
struct HeadFacts {
    feature::Accumulators sums;
    flow::FlowRecord record;
    base::TimeNs look = INT64_MAX;
};

// What stood in front of a flow's first packet.
struct EncapStack {
    std::array<packet::Encap, packet::kMaxEncaps> encaps;
    std::uint8_t count;

    template <typename Archive>
    void keep(Archive& archive) {
        archive.up_to(count, static_cast<std::uint8_t>(packet::kMaxEncaps));
        for (std::size_t index = 0; archive.ok() && index < count; ++index) {
            archive(encaps[index]);
        }
    }
};

using Table = flow::FlowTable<FlowState, kHotState>;
static_assert(sizeof(Table::Slot) == 4 * base::kLine && offsetof(Table::Slot, value) == base::kLine,
              "slots lie on whole cache lines");

// An ended flow lies in the table's slot or in a copy of it (engine/ended_flows.hpp). Where its
// rows are put in order: closed at, then first packet, then name. It depends on the packets alone.
// An early verdict is the same of a flow that goes on, closed when the verdict stood.
struct EndedFlow {
    base::TimeNs closed = 0;
    flow::FlowId id;  // none where no row is made
    Table::Slot* slot = nullptr;
    flow::EndReason reason{};
    bool copied = false;
    batch::HeadState head_state = batch::HeadState::closed;

    [[nodiscard]] const flow::FlowKey& key() const noexcept { return slot->key; }
    [[nodiscard]] const FlowState& state() const noexcept { return slot->value; }
};
inline bool before(const EndedFlow& left, const EndedFlow& right) noexcept {
    if (left.closed != right.closed) {
        return left.closed < right.closed;
    }
    const flow::FlowRecord& one = left.state().record;
    const flow::FlowRecord& other = right.state().record;
    if (one.first != other.first) {
        return one.first < other.first;
    }
    if (left.id != right.id) {
        return left.id < right.id;
    }
    // One key twice at one instant (a capture given twice): the one that came first goes first.
    return one.source != other.source ? one.source < other.source
                                      : one.packet_first < other.packet_first;
}

}  // namespace flowclass::engine
