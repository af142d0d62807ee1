// The feature columns of a batch: one for each row of the feature table, in its order. Takes:
// finished flows. Gives: their values, or nulls where a flow has none. Some flows are gathered and
// written column by column: sixty columns for each flow would be as many places in memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "batch/column.hpp"
#include "batch/flow_row.hpp"
#include "feature/feature_value.hpp"
#include "feature/flow_features.hpp"

namespace flowclass::batch {

template <typename Value>
struct ListColumn {
    ListOffsets offsets;
    FixedColumn<Value> values;
};

namespace feature_columns {

template <std::size_t Row>
auto empty_column() {
    using enum feature::ValueType;
    constexpr feature::ValueType kType = feature::kFeatures[Row].type;
    if constexpr (kType == uint32_list) {
        return ListColumn<std::uint32_t>();
    } else if constexpr (kType == int8_list) {
        return ListColumn<std::int8_t>();
    } else if constexpr (kType == int64_list) {
        return ListColumn<std::int64_t>();
    } else {
        return FixedColumn<feature::ValueOf<Row>>();
    }
}
template <std::size_t... Rows>
auto empty_columns(std::index_sequence<Rows...> /*rows*/) {
    return std::tuple<decltype(empty_column<Rows>())...>();
}

}  // namespace feature_columns

class FeatureColumns {
  public:
    // What the row names must stay until write() was called.
    void add(const FlowRow& row, const Orientation& way);
    void write();
    void finish_into(std::vector<ColumnData>& out);

  private:
    using Rows = std::make_index_sequence<feature::kFeatureCount>;

    static constexpr std::size_t kTogether = 32;
    static_assert(kTogether <= Validity::kMostTogether);

    template <std::size_t Row>
    void write_column(std::span<const feature::Finished> flows);
    template <std::size_t... Row>
    void write_columns(std::span<const feature::Finished> flows, std::index_sequence<Row...> rows);

    std::array<feature::FlowFeatures, kTogether> sums_;  // of flows that have few packets
    std::array<feature::Finished, kTogether> gathered_;
    std::size_t count_ = 0;
    decltype(feature_columns::empty_columns(Rows())) columns_;
};

}  // namespace flowclass::batch
