// The sums of the feature columns: where they lie. What is added to them is in room feature.
#include "engine/shard.hpp"

namespace flowclass::engine {

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
