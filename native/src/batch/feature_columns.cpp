// The table is walked at compile time, so that values go straight to their columns.
#include "batch/feature_columns.hpp"

#include <algorithm>
#include <memory>
#include <optional>

namespace flowclass::batch {

namespace {

constexpr std::uint8_t kTcp = 6;

template <typename Value>
Value item(const feature::Finished& flow, feature::Quantity quantity, std::size_t at) noexcept {
    const feature::FirstPacket packet = flow.flow->first_packet(at);
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
    if constexpr (requires { column.offsets; }) {
        std::size_t total = 0;
        for (const feature::Finished& flow : flows) {
            total += flow.first_count();
            column.offsets.add(flow.first_count());
        }
        const auto values = column.values.extend(total);
        std::size_t next = 0;
        for (const feature::Finished& flow : flows) {
            for (std::size_t at = 0; at < flow.first_count(); ++at) {
                using Value = typename decltype(values)::value_type;
                values[next++] = item<Value>(flow, feature::kFeatures[Row].quantity, at);
            }
        }
    } else {
        std::array<feature::ValueOf<Row>, kTogether> values;
        std::uint64_t there = 0;
        for (std::size_t at = 0; at < flows.size(); ++at) {
            const feature::Finished& flow = flows[at];
            const auto value = flow.flow == nullptr ? std::nullopt : feature::value_of<Row>(flow);
            values[at] = value.value_or(0);
            there |= std::uint64_t{value.has_value()} << at;
        }
        column.add(std::span(std::as_const(values)).first(flows.size()), there);
    }
}

template <std::size_t... Row>
void FeatureColumns::write_columns(std::span<const feature::Finished> flows,
                                   std::index_sequence<Row...> /*rows*/) {
    (write_column<Row>(flows), ...);
}

void FeatureColumns::add(const FlowRow& row, const Orientation& way) {
    const feature::FlowFeatures* sums = row.features;
    if (row.few_packets != nullptr) {
        feature::FlowFeatures& added = *std::construct_at(&sums_[count_]);
        row.few_packets->add_to(added);
        sums = &added;
    }
    gathered_[count_++] =
        sums == nullptr ? feature::Finished()
                        : feature::finish(*sums, way.initiator_forward, row.key->ip_proto == kTcp);
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
