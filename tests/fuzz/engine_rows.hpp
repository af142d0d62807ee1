// What the fuzz targets of the engine share: a registry, options, and rows as values that can be
// compared.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/engine.hpp"

namespace engine_rows {

namespace base = flowclass::base;
namespace batch = flowclass::batch;
namespace engine = flowclass::engine;
namespace registry = flowclass::registry;

inline void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

// Half of IPv4 and all of IPv6 is registered, so that both answers come up.
inline std::shared_ptr<const registry::Registry> make_registry() {
    registry::TextColumns texts;
    texts.registration_id = {"four", "six"};
    texts.category = {"organization", "organization"};
    texts.status = {"approved", "pending"};
    texts.prefix = {"0.0.0.0/1", "::/0"};
    texts.protocols = {{"ike"}, {}};
    texts.valid_from = {registry::kOpenStart, registry::kOpenStart};
    texts.valid_until = {registry::kOpenEnd, registry::kOpenEnd};
    texts.submitted_at = texts.approved_at = {registry::kNotKnown, registry::kNotKnown};
    auto columns = registry::read_columns(std::move(texts));
    require(columns.ok());
    auto built = registry::Registry::build(std::move(columns.value()), {});
    require(built.ok());
    return std::make_shared<const registry::Registry>(std::move(built.value()));
}

// What an input's first octet asks of the engine, in every target that has one.
constexpr std::uint8_t kAllColumns = 2;
constexpr std::uint8_t kRegistry = 4;
constexpr std::uint8_t kShort = 8;

inline engine::Options options_with(std::uint8_t how, std::size_t memcap) {
    static const auto registered = make_registry();
    engine::Options options;
    options.memcap = memcap;
    options.heads = options.features = (how & kAllColumns) != 0;
    options.batch_rows = 50;
    if ((how & kShort) != 0) {
        options.idle_timeout = base::kSecond / 2;
        options.active_timeout = base::kSecond;
    }
    if ((how & kRegistry) != 0) {
        options.registry = registered;
    }
    return options;
}

inline std::size_t column_index(std::string_view name) {
    const auto columns = batch::columns();
    const auto found = std::find_if(
        columns.begin(), columns.end(), [name](const auto& column) { return column.name == name; });
    require(found != columns.end());
    return static_cast<std::size_t>(found - columns.begin());
}

template <typename T>
std::span<const T> values(const batch::FlowBatch& rows, std::string_view name) {
    const batch::ColumnData& column = rows.columns.children[column_index(name)];
    require(column.length == rows.rows);
    return {static_cast<const T*>(column.buffers[1].data), static_cast<std::size_t>(rows.rows)};
}

// The facts of a row that tell flows apart; two runs are equal when these are, row by row.
struct Row {
    std::string id, linked, server_name;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    std::int64_t start = 0;
    std::int64_t end = 0;
    std::int16_t protocol = 0;
    std::int16_t tier = 0;
    std::int16_t end_reason = 0;
    std::int16_t registry_match = 0;
    std::uint64_t packet_first = 0;
    friend auto operator<=>(const Row&, const Row&) = default;
};

inline std::string text(const batch::FlowBatch& rows, std::string_view name, std::size_t row) {
    const batch::ColumnData& column = rows.columns.children[column_index(name)];
    const std::span offsets(static_cast<const std::int32_t*>(column.buffers[1].data),
                            static_cast<std::size_t>(rows.rows) + 1);
    const auto begin = static_cast<std::size_t>(offsets[row]);
    const auto end = static_cast<std::size_t>(offsets[row + 1]);
    return {static_cast<const char*>(column.buffers[2].data) + begin, end - begin};
}

inline void take(std::vector<batch::FlowBatch> batches, std::vector<Row>& rows) {
    for (const batch::FlowBatch& ready : batches) {
        for (std::size_t row = 0; row < static_cast<std::size_t>(ready.rows); ++row) {
            rows.push_back({text(ready, "flow_id", row),
                            text(ready, "linked_flow_id", row),
                            text(ready, "server_name", row),
                            values<std::uint64_t>(ready, "packets_fwd")[row] +
                                values<std::uint64_t>(ready, "packets_rev")[row],
                            values<std::uint64_t>(ready, "bytes_fwd")[row] +
                                values<std::uint64_t>(ready, "bytes_rev")[row],
                            values<std::int64_t>(ready, "time_start")[row],
                            values<std::int64_t>(ready, "time_end")[row],
                            values<std::int16_t>(ready, "protocol")[row],
                            values<std::int16_t>(ready, "tier")[row],
                            values<std::int16_t>(ready, "end_reason")[row],
                            values<std::int16_t>(ready, "registry_match")[row],
                            values<std::uint64_t>(ready, "packet_first")[row]});
        }
    }
}

}  // namespace engine_rows
