// The table is walked at compile time, so that values go straight to their columns.
#include "batch/feature_columns.hpp"

#include <algorithm>
#include <optional>

namespace flowclass::batch {

namespace {

constexpr std::uint8_t kTcp = 6;

template <typename Value>
Value item(const feature::Finished& flow, feature::Quantity quantity, std::size_t at) noexcept {
    const feature::FirstPacket& packet = flow.flow->first_packets()[at];
    if (quantity == feature::Quantity::first_lengths) {
        return static_cast<Value>(packet.length);
    }
    if (quantity == feature::Quantity::first_gaps) {
        return static_cast<Value>(std::min(packet.gap, feature::kMostNs));
    }
    const unsigned reverse = flow.flow->first_reverse();
    const bool forward = (reverse >> at & 1U) == (flow.side[0] == 0 ? 0U : 1U);
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
void FeatureColumns::write_column(std::span<const feature::Finished> flows) {
    auto& column = std::get<Row>(columns_);
    for (const feature::Finished& flow : flows) {
        if constexpr (requires { column.offsets; }) {
            const std::size_t count = flow.flow == nullptr ? 0 : flow.flow->first_packets().size();
            column.offsets.add(count);
            const auto values = column.values.extend(count);
            for (std::size_t at = 0; at < count; ++at) {
                using Value = typename decltype(values)::value_type;
                values[at] = item<Value>(flow, feature::kFeatures[Row].quantity, at);
            }
        } else {
            const auto value = flow.flow == nullptr ? std::nullopt : feature::value_of<Row>(flow);
            if (value) {
                column.add(*value);
            } else {
                column.add_null();
            }
        }
    }
}

template <std::size_t... Row>
void FeatureColumns::write_columns(std::span<const feature::Finished> flows,
                                   std::index_sequence<Row...> /*rows*/) {
    (write_column<Row>(flows), ...);
}

void FeatureColumns::add(const FlowRow& row, const Orientation& way) {
    gathered_[count_++] =
        row.features == nullptr
            ? feature::Finished()
            : feature::finish(*row.features, way.initiator_forward, row.key->ip_proto == kTcp);
    if (count_ == kTogether) {
        write();
    }
}

void FeatureColumns::write() {
    write_columns(std::span(gathered_).first(count_), Rows());
    count_ = 0;
}

void FeatureColumns::finish_into(std::vector<ColumnData>& out) {
    std::apply([&out](auto&... columns) { (out.push_back(finished(columns)), ...); }, columns_);
}

}  // namespace flowclass::batch
