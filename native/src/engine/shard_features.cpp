// The sums of the feature columns: where they lie. What is added to them is in room feature.
#include "engine/shard.hpp"

namespace flowclass::engine {

// The slots of a burst are there now, or on their way: fetch what they name.
void Shard::fetch_features() const noexcept {
    for (std::size_t index = 0; index < layers_.layer_count; ++index) {
        const std::uint32_t slot = table_.likely(keys_[index].hash);
        if (slot != flow::kNoSlot && table_[slot].value.features != FlowState::kNoFeatures) {
            features_[table_[slot].value.features].prefetch();
        }
    }
}

std::uint32_t Shard::keep_features(const feature::FlowFeatures& features) noexcept {
    const std::uint32_t index = features_.acquire();
    if (index == FlowState::kNoFeatures) {
        ++counters_.features_refused;
        return index;
    }
    features_[index] = features;
    return index;
}

}  // namespace flowclass::engine
