// What a shard fetches before it is worked on: table, heads and features lie far from the
// processor, and each of them is known only once what names it is here.
#include "engine/shard.hpp"

namespace flowclass::engine {

// The likely slots of a burst are there now, or on their way: fetch what they name.
void Shard::fetch_parts() const noexcept {
    for (std::size_t index = 0; index < layers_.layer_count; ++index) {
        if (slots_[index] == flow::kNoSlot) {
            continue;
        }
        const FlowState& state = table_[slots_[index]].value;
        if (state.has_head() && !state.head_done) {
            heads_.prefetch_front(state.head);
        }
        if (state.features != FlowState::kNoFeatures) {
            features_.prefetch(state.features, direction_of(index, state));
        }
    }
}

// Flows that come up in the wheel have long been idle: what on_due() needs of them is far away.
// The slot is here; now what it names.
void Shard::fetch_due(std::uint32_t slot) noexcept {
    const FlowState& state = table_[slot].value;
    table_.prefetch_place(slot);
    if (state.has_head()) {
        heads_.prefetch(state.head);
    }
}

}  // namespace flowclass::engine
