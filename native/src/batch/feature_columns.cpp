// The table is walked at compile time, so that a value goes straight to its column.
#include "batch/feature_columns.hpp"

#include <algorithm>
#include <optional>

namespace flowclass::batch {

namespace {

constexpr std::uint8_t kTcp = 6;

template <typename Value>
Value item(const feature::Finished& flow, feature::Quantity quantity, std::size_t at) noexcept {
    const feature::FirstPackets& first = flow.flow->first();
    if (quantity == feature::Quantity::first_lengths) {
        return static_cast<Value>(first.lengths[at]);
    }
    if (quantity == feature::Quantity::first_gaps) {
        return static_cast<Value>(std::min(first.gaps[at], feature::kMostNs));
    }
    const bool forward = (first.reverse >> at & 1U) == (flow.side[0] == 0 ? 0U : 1U);
    return static_cast<Value>(forward ? 1 : -1);
}

template <typename Value>
ColumnData finished(FixedColumn<Value>& column) {
    return column.finish();
}
template <typename Value>
ColumnData finished(ListColumn<Value>& list) {
    return list.offsets.finish(list.values.finish());
}

}  // namespace

template <std::size_t Row>
void FeatureColumns::add_value(const feature::Finished* flow) {
    auto& column = std::get<Row>(columns_);
    if constexpr (requires { column.offsets; }) {
        const std::size_t count = flow == nullptr ? 0 : flow->flow->first().count;
        column.offsets.add(count);
        const auto values = column.values.extend(count);
        for (std::size_t at = 0; at < count; ++at) {
            using Value = typename decltype(values)::value_type;
            values[at] = item<Value>(*flow, feature::kFeatures[Row].quantity, at);
        }
    } else {
        const auto value = flow == nullptr ? std::nullopt : feature::value_of<Row>(*flow);
        if (value) {
            column.add(*value);
        } else {
            column.add_null();
        }
    }
}

template <std::size_t... Row>
void FeatureColumns::add_values(const feature::Finished* flow,
                                std::index_sequence<Row...> /*rows*/) {
    (add_value<Row>(flow), ...);
}

void FeatureColumns::add(const FlowRow& row, const Orientation& way) {
    if (row.features == nullptr) {
        add_values(nullptr, Rows());
        return;
    }
    const feature::Finished flow =
        feature::finish(*row.features, way.initiator_forward, row.key->ip_proto == kTcp);
    add_values(&flow, Rows());
}

void FeatureColumns::finish_into(std::vector<ColumnData>& out) {
    std::apply([&out](auto&... columns) { (out.push_back(finished(columns)), ...); }, columns_);
}

}  // namespace flowclass::batch
