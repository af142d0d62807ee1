// Takes: the number of a row of the feature table, and what was kept of a flow. Gives: the value,
// or that there is none. The row is a template argument, so a column's function holds its own case
// alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "feature/feature_table.hpp"

namespace flowclass::feature {

// A flow of which is known who began.
struct Finished {
    const FlowFeatures* flow = nullptr;
    std::array<std::size_t, 3> side{0, 1, 2};  // of what is kept by direction, by Way
    bool is_tcp = false;
    Moments lengths_of_both;
    Moments active;

    [[nodiscard]] std::size_t first_count() const noexcept {
        return flow == nullptr ? 0 : flow->first_count();
    }
};

inline Finished finish(const FlowFeatures& flow, bool initiator_forward, bool is_tcp) noexcept {
    Finished out;
    out.flow = &flow;
    if (!initiator_forward) {
        out.side = {1, 0, 2};
    }
    out.is_tcp = is_tcp;
    out.lengths_of_both = flow.way(0).lengths;
    out.lengths_of_both.add(flow.way(1).lengths);
    out.active = flow.active();
    return out;
}

// Times are int64 wherever they are shown; a gap may be longer only between packets more than 292
// years apart.
inline constexpr std::uint64_t kMostNs = std::numeric_limits<std::int64_t>::max();

template <ValueType Type>
struct NativeOf {
    using type = std::uint64_t;
};
template <>
struct NativeOf<ValueType::uint16> {
    using type = std::uint16_t;
};
template <>
struct NativeOf<ValueType::uint32> {
    using type = std::uint32_t;
};
template <>
struct NativeOf<ValueType::int64> {
    using type = std::int64_t;
};
template <>
struct NativeOf<ValueType::float64> {
    using type = double;
};
template <std::size_t Row>
using ValueOf = typename NativeOf<kFeatures[Row].type>::type;

template <std::size_t Row>
std::optional<ValueOf<Row>> value_of_moments(const Moments& moments) noexcept {
    using Value = ValueOf<Row>;
    if constexpr (kFeatures[Row].statistic == Statistic::count) {
        return moments.count;
    } else if constexpr (kFeatures[Row].statistic == Statistic::deviation) {
        return moments.count < 2 ? std::nullopt : std::optional<Value>(moments.deviation());
    } else if (moments.count == 0) {
        return std::nullopt;
    } else if constexpr (kFeatures[Row].statistic == Statistic::mean) {
        return moments.mean();
    } else {
        const std::uint64_t whole =
            kFeatures[Row].statistic == Statistic::least ? moments.least : moments.greatest;
        return static_cast<Value>(std::min(whole, kMostNs));
    }
}

template <std::size_t Row>
std::optional<ValueOf<Row>> value_of(const Finished& flow) noexcept {
    using Value = ValueOf<Row>;
    const std::size_t side = flow.side[table::index_of(kFeatures[Row].way)];
    const FlowFeatures& kept = *flow.flow;
    if constexpr (kFeatures[Row].quantity == Quantity::length) {
        return value_of_moments<Row>(kFeatures[Row].way == Way::both ? flow.lengths_of_both
                                                                     : kept.way(side).lengths);
    } else if constexpr (kFeatures[Row].quantity == Quantity::gap) {
        return value_of_moments<Row>(kFeatures[Row].way == Way::both ? kept.gaps()
                                                                     : kept.way(side).gaps);
    } else if constexpr (kFeatures[Row].quantity == Quantity::active) {
        return value_of_moments<Row>(flow.active);
    } else if constexpr (kFeatures[Row].quantity == Quantity::idle) {
        return value_of_moments<Row>(kept.idle());
    } else if constexpr (kFeatures[Row].quantity == Quantity::tcp_flag) {
        return flow.is_tcp ? std::optional<Value>(kept.way(side).flags[kFeatures[Row].flag])
                           : std::nullopt;
    } else if constexpr (kFeatures[Row].quantity == Quantity::head_octets ||
                         kFeatures[Row].quantity == Quantity::head_entropy) {
        const HeadEntropy& head = kept.head();
        const std::uint32_t octets = kFeatures[Row].way == Way::both
                                         ? head.octets[0] + head.octets[1]
                                         : head.octets[side % 2];
        if constexpr (kFeatures[Row].quantity == Quantity::head_octets) {
            return head.known ? std::optional<Value>(octets) : std::nullopt;
        } else {
            return octets > 0 ? std::optional<Value>(head.bits[side]) : std::nullopt;
        }
    } else {
        const TcpWindows& windows = kept.way(side).windows;
        if (!windows.seen) {
            return std::nullopt;
        }
        return kFeatures[Row].quantity == Quantity::tcp_window_first   ? windows.first
               : kFeatures[Row].quantity == Quantity::tcp_window_least ? windows.least
                                                                       : windows.greatest;
    }
}

}  // namespace flowclass::feature
